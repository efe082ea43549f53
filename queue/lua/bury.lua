-- Says of a job that this server does not know why it cannot be brought back.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id
-- ARGV[4]  reason, for people
-- ARGV[5]  what could not be read
-- ARGV[6]  how long the answer is kept, milliseconds
-- Returns  {"ok"}, also when it was said before.
local id = ARGV[3]
if redis.call('EXISTS', job_key(id), inbox_key(id), rejected_key(id)) > 0 then return {'ok'} end
if redis.call('HEXISTS', KEY.removing, id) == 1 then return {'ok'} end
dead_letter('job', id, ARGV[4], ARGV[5])
redis.call('HSET', rejected_key(id), 'schema', SCHEMA, 'asked', '', 'sequence', 0, 'submitted', 0, 'finished', now, 'error',
           ARGV[4])
redis.call('PEXPIRE', rejected_key(id), ARGV[6])
return {'ok'}
