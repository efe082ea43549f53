-- Completes a task and makes ready what waited for it. The stitch task completes the job.
--
-- KEYS[1]  task:record:<task>
-- ARGV[3]  task id; ARGV[4] owner, ARGV[5] attempt, ARGV[6] nonce: the fencing token
-- ARGV[7]  digest of the result
-- ARGV[8]  artifact (JSON)
-- ARGV[9]  the artifact's path: of a stitch task, the job's output
-- ARGV[10] the tail's sha256, or ""
-- ARGV[11] the tail (artifact JSON), or ""
-- ARGV[12] metrics (JSON), or ""
-- Returns  {code}: ok, also for the same token and digest again; stale; cancelled (not recorded, the lease has ended); gone;
--          {"refused", why} for a stitch that is not partial before every other task is done.
local task, job, code = fence(ARGV[3], ARGV[4], ARGV[5], ARGV[6])
local digest = ARGV[7]
if code == 'stale' then
  local again = task.state == 'done' and task.digest == digest and is_repeat(task, 'finish', ARGV[4], ARGV[5], ARGV[6])
  return {again and 'ok' or 'stale'}
end
if not job then return {code} end
if code == 'cancelled' then
  end_cancelled(task, job, 'finish')
  return {code}
end
if task.kind == 'stitch' and task.partial ~= '1' then
  for _, id in ipairs(job_tasks(job.id)) do
    local state = field(task_key(id), 'state')
    if id ~= task.id and state ~= 'done' then return {'refused', id .. ' is ' .. (state ~= '' and state or 'missing')} end
  end
end

end_lease(task, 'done', 'finish')
redis.call('HSET', task_key(task.id), 'digest', digest, 'artifact', ARGV[8], 'metrics', ARGV[12], 'finished', now,
           'fraction', 1, 'error_class', '', 'error', '')
if ARGV[10] ~= '' and task.tail_sha256 == '' then
  redis.call('HSET', task_key(task.id), 'tail_sha256', ARGV[10], 'tail', ARGV[11])
end
event('done', task.job, {'task', task.id, 'state', 'done', 'owner', task.owner, 'attempt', task.attempt})
settle_dependents(task, job)
if task.kind == 'window' then reserve(job) end
if task.kind == 'stitch' then
  redis.call('HSET', job_key(job.id), 'output', ARGV[9])
  if not OVER[job.state] then set_job_over(job, 'done', '', '', '') end
  close_if_over(job)
end
return {'ok'}
