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
local chosen = redis.call('ZRANGEBYSCORE', takes_key(family), take, take)[1]
if not chosen and take == '1' and redis.call('EXISTS', takes_key(family)) == 0 then chosen = family end
local job = chosen and load_job(chosen)
if not job then return {'refused', asked.state, 'there is no take ' .. take} end
if job.state ~= 'done' then return {'refused', job.state, 'take ' .. take .. ' (' .. job.id .. ') is ' .. job.state} end
if redis.call('GET', used_take_key(family)) == take then return {'unchanged', job.state} end
redis.call('SET', used_take_key(family), take)
event('used', job.id, {'state', job.state, 'text', take})
return {'ok', job.state}
