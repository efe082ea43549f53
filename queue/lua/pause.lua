-- Pauses a job: no task but the stitch is leased any more; running ones are told, finish their step and are released.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id
-- Returns  {"ok" | "unchanged", state}, {"refused", state, why} or {"not_found"}.
local job = load_job(ARGV[3])
if not job then
  if redis.call('EXISTS', inbox_key(ARGV[3])) == 1 then return {'refused', 'submitted', 'the job is not accepted yet'} end
  return {'not_found'}
end
if OVER[job.state] then return {'refused', job.state, 'the job is ' .. job.state} end
if job.paused == '1' then return {'unchanged', job.state} end
redis.call('HSET', job_key(job.id), 'paused', '1', 'state', 'paused')
revise(job.id)
for _, id in ipairs(job_tasks(job.id)) do
  local task = load_task(id)
  -- A task that rests after a failure stays where it is: when its time comes it will find the job paused.
  if task and not task.unreadable and task.state == 'ready' and task.kind ~= 'stitch' and number(task.not_before) <= now then
    unindex(task, job)
    redis.call('HSET', task_key(id), 'not_before', 0)
  end
end
event('paused', job.id, {'state', 'paused'})
return {'ok', 'paused'}
