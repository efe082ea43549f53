-- Lets groups of other fingerprints claim a job's windows, or no longer.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id
-- ARGV[4]  "1" or "0"
-- Returns  {"ok" | "unchanged", state}, {"refused", state, why} or {"not_found"}.
local job = load_job(ARGV[3])
if not job then
  if redis.call('EXISTS', inbox_key(ARGV[3])) == 1 then return {'refused', 'submitted', 'the job is not accepted yet'} end
  return {'not_found'}
end
if OVER[job.state] then return {'refused', job.state, 'the job is ' .. job.state} end
if (job.allow_mix == '1') == (ARGV[4] == '1') then return {'unchanged', job.state} end
redis.call('HSET', job_key(job.id), 'allow_mix', ARGV[4])
revise(job.id)
job.allow_mix = ARGV[4]
for _, id in ipairs(job_tasks(job.id)) do
  local task = load_task(id)
  if task and not task.unreadable and task.state == 'ready' then
    unindex(task, job)
    index_ready(task, job)
  end
end
event('mix', job.id, {'state', job.state, 'text', ARGV[4]})
return {'ok', job.state}
