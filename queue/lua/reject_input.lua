-- The holder of a lease cannot use what an earlier task of its job left: damaged, or gone from the disk. Ends the lease, with
-- nothing counted against its holder, and has the earlier task done again, which counts as one of that task's failures. Other
-- tasks that started from the bad result and run or are done stay: what comes again has the same bits (one fingerprint).
--
-- KEYS[1]  task:record:<task>
-- ARGV[3]  task id; ARGV[4] owner, ARGV[5] attempt, ARGV[6] nonce: the fencing token
-- ARGV[7]  id of the earlier task
-- ARGV[8]  digest of its result as the holder saw it, or "" when it had only its tail
-- ARGV[9]  message, for people
-- ARGV[10] a result is not given up before it is so old, milliseconds: a network file system may show it late
-- ARGV[11] failures that make the earlier task failed
-- ARGV[12] back-off, milliseconds, doubled each time; ARGV[13] at most
-- Returns  {code}: ok, also for the same token again; stale; cancelled (the lease has ended); paused (as ok); gone;
--          {"refused", why} when the earlier task is none of the job's.
local task, job, code = fence_to_end('reject_input')
if not task then return {code} end
local message, settle, base, cap = ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[12]), tonumber(ARGV[13])
local input = load_task(ARGV[7])
if not input or input.unreadable or input.job ~= task.job or input.id == task.id then
  return {'refused', ARGV[7] .. ' is not what ' .. task.id .. ' starts from'}
end
local result = read(task_key(input.id), {'digest', 'finished'})

-- Too fresh to judge, still at work, or another result by now: look again later.
if input.state ~= 'done' or result.digest ~= ARGV[8] or now - number(result.finished) < settle then
  end_lease(task, 'ready', 'reject_input')
  event('released', task.job, {'task', task.id, 'owner', task.owner, 'attempt', task.attempt, 'text', message})
  make_ready_again(task, job, math.max(settle, base))
  return {code}
end

end_lease(task, 'waiting', 'reject_input')
event('input_lost', task.job, {'task', input.id, 'owner', task.owner, 'attempt', input.attempt, 'text', message})
redis.call('HDEL', task_key(input.id), 'digest', 'artifact', 'metrics', 'tail_sha256', 'tail', 'finished', 'fraction')
if OVER[job.state] then
  -- Only a partial video is made of such a job: of what lies before the damage. A retry of the job renders the rest.
  redis.call('HSET', task_key(input.id), 'state', 'cancelled', 'finished', now, 'error_class', 'storage', 'error', message)
  local leading = number(input.window)
  event('cancelled', task.job, {'task', input.id, 'state', 'cancelled', 'text', message})
  if leading > 0 then
    redis.call('HSET', task_key(task.id), 'window_limit', leading)
    make_ready(task, job, 0)
  else
    redis.call('HSET', task_key(task.id), 'state', 'cancelled', 'finished', now)
    close_if_over(job)
  end
  return {code}
end
if not count_and_retry(input, job, 'failures', tonumber(ARGV[11]), 'failed', 'reject_input', 'storage', message, base, cap) then
  -- What has not begun waits for the new result.
  for _, id in ipairs(job_tasks(job.id)) do
    local other = load_task(id)
    if other and not other.unreadable and other.state == 'ready' and not dependencies_met(other) then
      unindex(other, job)
      make_waiting(other)
    end
  end
  make_ready_again(task, job, 0)
  reserve(job)
end
return {code}
