-- Removes a job and its tasks, and marks it: until files_removed says that nothing of it lies in DATA any more, nobody brings
-- it back from there.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id
-- ARGV[4]  "1": its video is to go too
-- Returns  {"ok", state}, {"unchanged"} when it is marked already, {"refused", state, why} or {"not_found"}.
local id = ARGV[3]
if redis.call('HEXISTS', KEY.removing, id) == 1 then return {'unchanged'} end
local job = load_job(id)
if not job then
  if redis.call('EXISTS', inbox_key(id)) == 1 then return {'refused', 'submitted', 'cancel it first'} end
  if redis.call('DEL', rejected_key(id)) == 0 then return {'not_found'} end
  redis.call('HSET', KEY.removing, id, '')
  return {'ok', 'failed'}
end
if not OVER[job.state] then return {'refused', job.state, 'cancel it first'} end
if job.closed ~= '1' then return {'refused', job.state, 'a task of it still runs'} end
redis.call('HSET', KEY.removing, id, ARGV[4] == '1' and field(job_key(id), 'output') or '')
local family = family_of(id)
local take = redis.call('ZSCORE', takes_key(family), id)
if take and redis.call('GET', used_take_key(family)) == take then redis.call('DEL', used_take_key(family)) end
redis.call('ZREM', takes_key(family), id)
for _, task in ipairs(job_tasks(id)) do redis.call('DEL', task_key(task)) end
redis.call('DEL', job_key(id), job_tasks_key(id), job_after_key(id), job_blocklist_key(id), job_crashed_key(id))
redis.call('ZREM', KEY.jobs, id)
redis.call('ZREM', KEY.finished, id)
return {'ok', job.state}
