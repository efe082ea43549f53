-- Chooses which take of a job is delivered.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id: any of the takes
-- ARGV[4]  number of the take
-- Returns  {"ok" | "unchanged", state}, {"refused", state, why} or {"not_found"}.
local id, take = ARGV[3], ARGV[4]
local asked = load_job(id)
if not asked then return {'not_found'} end
local family = family_of(id)
local function job_of_take(number_of)
  local found = redis.call('ZRANGEBYSCORE', takes_key(family), number_of, number_of)[1]
  if not found and number_of == '1' and redis.call('EXISTS', takes_key(family)) == 0 then return family end
  return found
end
local chosen = job_of_take(take)
local job = chosen and load_job(chosen)
if not job then return {'refused', asked.state, 'there is no take ' .. take} end
if job.state ~= 'done' then return {'refused', job.state, 'take ' .. take .. ' (' .. job.id .. ') is ' .. job.state} end
local before = redis.call('GET', used_take_key(family))
if before == take then return {'unchanged', job.state} end
local replaced = before and job_of_take(before)
if replaced and load_job(replaced) then
  redis.call('HSET', job_key(replaced), 'used', '0')
  revise(replaced)
end
redis.call('SET', used_take_key(family), take)
redis.call('HSET', job_key(job.id), 'used', '1')
revise(job.id)
event('used', job.id, {'state', job.state, 'text', take})
return {'ok', job.state}
