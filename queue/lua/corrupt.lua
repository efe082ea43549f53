-- A claimed task whose payload its owner cannot read: dead letter, and its job fails.
--
-- KEYS[1]  task:record:<task>
-- ARGV[3]  task id; ARGV[4] owner, ARGV[5] attempt, ARGV[6] nonce: the fencing token
-- ARGV[7]  reason
-- Returns  {code}: ok, stale, gone.
local task, _, code = fence(ARGV[3], ARGV[4], ARGV[5], ARGV[6])
if code == 'stale' or not task then return {code} end
drop_corrupt(task.id, ARGV[7])
return {'ok'}
