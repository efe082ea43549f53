-- Turns an inbox entry into a job with its tasks, some of which may be done already.
--
-- KEYS[1]  inbox:entry:<job>
-- ARGV[3]  job id
-- ARGV[4]  the plan: see enter_plan
-- Returns  {"ok"}, also when it was accepted before; {"gone"} when there is no such entry.
local id = ARGV[3]
local entry = read(inbox_key(id), {'schema', 'asked', 'request', 'sequence', 'submitted'})
if entry.schema == '' then
  local accepted = redis.call('HGET', job_key(id), 'accepted')
  return {accepted and accepted ~= '0' and 'ok' or 'gone'}
end
local job = enter_plan(id, entry, 4)
if job.output ~= '' then
  set_job_over(job, 'done', '', '', '')
  close_if_over(job)
end
return {'ok'}
