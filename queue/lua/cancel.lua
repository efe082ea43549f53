-- Cancels a job: what waits goes at once, what runs hears it at its next write, done windows become a partial file.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id
-- ARGV[4]  reason, for people
-- Returns  {"ok" | "unchanged", state}, {"refused", state, why} or {"not_found"}.
local id, reason = ARGV[3], ARGV[4]
local job = load_job(id)
if job then
  if job.state == 'cancelled' then return {'unchanged', job.state} end
  if OVER[job.state] then return {'refused', job.state, 'the job is ' .. job.state} end
  abandon_job(job, 'cancelled', 'cancelled', reason, '')
  return {'ok', 'cancelled'}
end
local entry = read(inbox_key(id), {'schema', 'asked', 'request', 'sequence', 'submitted'})
if entry.schema == '' then return {'not_found'} end
redis.call('DEL', inbox_key(id))
redis.call('ZREM', KEY.inbox, id)
redis.call('HSET', job_key(id), 'schema', SCHEMA, 'state', 'submitted', 'asked', entry.asked, 'spec', entry.asked, 'priority', 0,
           'sequence', entry.sequence, 'submitted', entry.submitted, 'accepted', 0, 'request', entry.request)
redis.call('ZADD', KEY.jobs, entry.sequence, id)
abandon_job(load_job(id), 'cancelled', 'cancelled', reason, '')
return {'ok', 'cancelled'}
