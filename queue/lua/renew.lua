-- Extends a lease.
--
-- KEYS[1]  task:record:<task>
-- ARGV[3]  task id; ARGV[4] owner, ARGV[5] attempt, ARGV[6] nonce: the fencing token
-- ARGV[7]  lease, milliseconds
-- Returns  {code}: ok, stale, cancelled (renewed), paused (renewed), gone.
local task, job, code = fence(ARGV[3], ARGV[4], ARGV[5], ARGV[6])
if job then extend(task, ARGV[7]) end
return {code}
