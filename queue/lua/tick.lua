-- Reports progress and extends the lease.
--
-- KEYS[1]  task:record:<task>
-- ARGV[3]  task id; ARGV[4] owner, ARGV[5] attempt, ARGV[6] nonce: the fencing token
-- ARGV[7]  lease, milliseconds
-- ARGV[8]  phase
-- ARGV[9]  finished steps; a step that no attempt had reached resets the counts of crashes and losses
-- ARGV[10] steps in all
-- ARGV[11] fraction of the phase, 0..1
-- Returns  {code}: ok, stale, cancelled (renewed), paused (renewed), gone.
local task, job, code = fence(ARGV[3], ARGV[4], ARGV[5], ARGV[6])
if not job then return {code} end
local phase, step, steps, fraction = ARGV[8], math.max(tonumber(ARGV[9]), number(task.step)), ARGV[10], ARGV[11]
extend(task, ARGV[7])
redis.call('HSET', task_key(task.id), 'phase', phase, 'step', step, 'steps', steps, 'fraction', fraction)
if step > number(task.step_reached) then
  redis.call('HSET', task_key(task.id), 'step_reached', step, 'crashes', 0, 'losses', 0)
end
if step ~= number(task.step) or phase ~= task.phase then
  event('step', task.job, {'task', task.id, 'state', phase, 'owner', task.owner, 'attempt', task.attempt, 'step', step,
                           'steps', steps})
end
return {code}
