-- Gives a task back unharmed: the owner drains, is preempted, was told to pause, or has nothing to do yet.
--
-- KEYS[1]  task:record:<task>
-- ARGV[3]  task id; ARGV[4] owner, ARGV[5] attempt, ARGV[6] nonce: the fencing token
-- ARGV[7]  reason, for people
-- ARGV[8]  "1": counts as a preemption, unless the job is paused: then its user wanted the task back
-- ARGV[9]  not to be claimed again for so many milliseconds
-- Returns  {code}: ok, also for the same token again; stale; cancelled (the lease has ended); gone.
local task, job, code = fence_to_end('release')
if not task then return {code} end
end_lease(task, 'ready', 'release')
local preempted = ARGV[8] == '1' and code ~= 'paused'
if preempted then redis.call('HINCRBY', task_key(task.id), 'preemptions', 1) end
event('released', task.job, {'task', task.id, 'owner', task.owner, 'attempt', task.attempt,
                             'class', preempted and 'preempted' or '', 'text', ARGV[7]})
make_ready_again(task, job, tonumber(ARGV[9]))
return {'ok'}
