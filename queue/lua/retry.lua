-- A failed or cancelled job goes on from what is done. Windows that still run just go on; a partial stitch is fenced off.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id
-- Returns  {"ok", state}, {"refused", state, why} or {"not_found"}.
local job = load_job(ARGV[3])
if not job then
  if redis.call('EXISTS', inbox_key(ARGV[3])) == 1 then return {'refused', 'submitted', 'the job has not failed'} end
  return {'not_found'}
end
if job.state ~= 'failed' and job.state ~= 'cancelled' then return {'refused', job.state, 'the job has not failed'} end
local tasks = {}
for _, id in ipairs(job_tasks(job.id)) do
  local task = load_task(id)
  if not task or task.unreadable or field(task_key(id), 'spec') == '' then
    return {'refused', job.state, 'the record of ' .. id .. ' is lost; use resubmit'}
  end
  tasks[#tasks + 1] = task
end
if #tasks == 0 then return {'refused', job.state, 'the job was never accepted; use resubmit'} end

if job.hold ~= '' then
  local after = field(job_key(job.id), 'after')
  local state = field(job_key(after), 'state')
  if state == 'done' or (state == '' and redis.call('EXISTS', inbox_key(after)) == 0) then
    job.hold = ''
    redis.call('HSET', job_key(job.id), 'hold', '')
  end
end
job.closed = '0'
job.state = live_state(job)
redis.call('HSET', job_key(job.id), 'state', job.state, 'closed', '0', 'partial', '0', 'output', '', 'finished', 0,
           'error_class', '', 'error', '', 'error_task', '')
redis.call('ZREM', KEY.finished, job.id)
revise(job.id)
redis.call('DEL', job_blocklist_key(job.id), job_crashed_key(job.id))
local waiting = {}
for _, task in ipairs(tasks) do
  redis.call('HSET', task_key(task.id), 'crashes', 0, 'losses', 0, 'failures', 0)
  local again = task.state == 'failed' or task.state == 'poison' or task.state == 'cancelled' or task.state == 'corrupt'
  if task.kind == 'stitch' then
    redis.call('HDEL', task_key(task.id), 'partial', 'window_limit')
    again = again or task.state == 'done' or task.state == 'leased'
  end
  if again then
    if task.state == 'leased' then end_lease(task, 'waiting', 'retry') end
    redis.call('HSET', task_key(task.id), 'state', 'waiting', 'finished', 0, 'not_before', 0, 'error_class', '', 'error', '')
    redis.call('HDEL', task_key(task.id), 'artifact', 'digest', 'metrics')
    task.state = 'waiting'
    waiting[#waiting + 1] = task
  end
end
for _, task in ipairs(waiting) do
  if dependencies_met(task) then make_ready(task, job, 0) end
end
reserve(job)
tell_followers(job)
event('retry', job.id, {'state', job.state})
return {'ok', job.state}
