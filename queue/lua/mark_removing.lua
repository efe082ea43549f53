-- Marks again a job that this server has lost and whose removal had begun, as forget does.
--
-- KEYS[1]  job:removing
-- ARGV[3]  job id
-- Returns  {"ok"} or {"known"}: the server has the job.
local id = ARGV[3]
if redis.call('EXISTS', job_key(id), inbox_key(id), rejected_key(id)) > 0 then return {'known'} end
redis.call('HSETNX', KEYS[1], id, '')
return {'ok'}
