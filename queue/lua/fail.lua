-- Reports that an attempt failed; ends the lease.
--
-- KEYS[1]  task:record:<task>
-- ARGV[3]  task id; ARGV[4] owner, ARGV[5] attempt, ARGV[6] nonce: the fencing token
-- ARGV[7]  failure class: data is final; crash and hang count as crashes; memory, device, storage, internal as failures
-- ARGV[8]  message, for people
-- ARGV[9]  crashes at one step that make the task poison
-- ARGV[10] failures that make it failed
-- ARGV[11] back-off, milliseconds, doubled each time; ARGV[12] at most
-- ARGV[13] crashes of one job on one host from which on the job passes it by
-- Returns  {code}: ok, also for the same token again; stale; cancelled (the lease has ended); gone.
local task, job, code = fence_to_end('fail')
if not task then return {code} end
local class, message = ARGV[7], ARGV[8]
local base, cap = tonumber(ARGV[11]), tonumber(ARGV[12])
if class == 'data' then
  end_lease(task, 'failed', 'fail')
  redis.call('HSET', task_key(task.id), 'error_class', class, 'error', message)
  give_up(task, job, class, message)
elseif class == 'crash' or class == 'hang' then
  count_host_crash(task, tonumber(ARGV[13]))
  count_and_retry(task, job, 'crashes', tonumber(ARGV[9]), 'poison', 'fail', class, message, base, cap)
else
  count_and_retry(task, job, 'failures', tonumber(ARGV[10]), 'failed', 'fail', class, message, base, cap)
end
return {'ok'}
