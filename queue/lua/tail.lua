-- Publishes a window's tail, which its successor starts from, while the window itself is still being decoded and written.
--
-- The first tail stays. A window leased again after its tail was published renders the same bits, because only groups of one
-- fingerprint work on a job; so a successor that is ready, leased or done stays valid and is not touched. Should the new tail
-- differ all the same, the file still is the old one's: both are within tolerance, and an event says that it happened.
--
-- KEYS[1]  task:record:<task>
-- ARGV[3]  task id; ARGV[4] owner, ARGV[5] attempt, ARGV[6] nonce: the fencing token
-- ARGV[7]  lease, milliseconds
-- ARGV[8]  the tail's sha256
-- ARGV[9]  the tail (artifact JSON)
-- Returns  {code}: ok, stale, cancelled (renewed, not recorded), paused (renewed, recorded), gone; {"refused", why} for
--          a task that is not a window.
local task, job, code = fence(ARGV[3], ARGV[4], ARGV[5], ARGV[6])
if not job then return {code} end
if task.kind ~= 'window' then return {'refused', 'only a window has a tail'} end
extend(task, ARGV[7])
if code == 'cancelled' then return {code} end
if task.tail_sha256 == '' then
  redis.call('HSET', task_key(task.id), 'tail_sha256', ARGV[8], 'tail', ARGV[9])
  event('tail', task.job, {'task', task.id, 'owner', task.owner, 'attempt', task.attempt})
  settle_dependents(task, job)
elseif task.tail_sha256 ~= ARGV[8] then
  event('tail_mismatch', task.job, {'task', task.id, 'owner', task.owner, 'attempt', task.attempt, 'text',
                                    'kept ' .. task.tail_sha256 .. ', got ' .. ARGV[8]})
end
return {code}
