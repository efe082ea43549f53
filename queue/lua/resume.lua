-- Undoes pause and hold.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id
-- Returns  {"ok" | "unchanged", state}, {"refused", state, why} or {"not_found"}.
local job = load_job(ARGV[3])
if not job then
  if redis.call('EXISTS', inbox_key(ARGV[3])) == 1 then return {'unchanged', 'submitted'} end
  return {'not_found'}
end
if OVER[job.state] then return {'refused', job.state, 'the job is ' .. job.state} end
if job.paused ~= '1' and job.hold == '' then return {'unchanged', job.state} end
if job.hold ~= '' then redis.call('HSET', job_key(job.id), 'after_waived', '1') end
revise(job.id)
job.paused, job.hold = '0', ''
job.state = live_state(job)
redis.call('HSET', job_key(job.id), 'paused', '0', 'hold', '', 'state', job.state)
for _, id in ipairs(job_tasks(job.id)) do
  local task = load_task(id)
  if task and not task.unreadable and task.state == 'ready' then
    unindex(task, job)
    index_ready(task, job)
  end
end
event('resumed', job.id, {'state', job.state})
return {'ok', job.state}
