-- Removes a job and its tasks. A mark stays for a time, so that what still lies of it in DATA does not bring it back.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id
-- ARGV[4]  how long the mark stays, milliseconds
-- Returns  {"ok", state}, {"refused", state, why} or {"not_found"}.
local id = ARGV[3]
local job = load_job(id)
if not job then
  if redis.call('EXISTS', inbox_key(id)) == 1 then return {'refused', 'submitted', 'cancel it first'} end
  return {redis.call('DEL', rejected_key(id)) == 1 and 'ok' or 'not_found', 'failed'}
end
if not OVER[job.state] then return {'refused', job.state, 'cancel it first'} end
if job.closed ~= '1' then return {'refused', job.state, 'a task of it still runs'} end
redis.call('SET', forgotten_key(id), '1', 'PX', ARGV[4])
local family = family_of(id)
local take = redis.call('ZSCORE', takes_key(family), id)
if take and redis.call('GET', used_take_key(family)) == take then redis.call('DEL', used_take_key(family)) end
redis.call('ZREM', takes_key(family), id)
for _, task in ipairs(job_tasks(id)) do redis.call('DEL', task_key(task)) end
redis.call('DEL', job_key(id), job_tasks_key(id), job_after_key(id), job_blocklist_key(id))
redis.call('ZREM', KEY.jobs, id)
redis.call('ZREM', KEY.finished, id)
return {'ok', job.state}
