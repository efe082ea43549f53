-- Brings back a job that this server has lost, from what lies in DATA.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id
-- ARGV[4]  as it was asked (JSON); ARGV[5] its request id, ARGV[6] how long that is remembered, milliseconds
-- ARGV[7]  when it was submitted, milliseconds
-- ARGV[8]  done, failed or cancelled, or "" for a job that goes on; then ARGV[9] error class, ARGV[10] message, ARGV[11] task,
--          ARGV[12] when it ended, milliseconds
-- ARGV[13] the plan: see enter_plan
-- Returns  {"ok"}, also when it is there; {"gone"} when it is in the inbox, was rejected or was removed.
local id, request, over, ended = ARGV[3], ARGV[5], ARGV[8], ARGV[12]
if redis.call('EXISTS', job_key(id)) == 1 then return {'ok'} end
if redis.call('EXISTS', inbox_key(id), rejected_key(id), forgotten_key(id)) > 0 then return {'gone'} end
if request ~= '' then redis.call('SET', request_key(request), id, 'PX', ARGV[6], 'NX') end
local entry = {asked = ARGV[4], request = request, sequence = redis.call('INCR', KEY.sequence), submitted = ARGV[7]}
local job = enter_plan(id, entry, 13)
if over == 'done' then
  set_job_over(job, 'done', '', '', '')
  close_if_over(job)
elseif over ~= '' then
  if job.output ~= '' then
    redis.call('HSET', job_key(id), 'partial', '1')
    redis.call('HSET', task_key(id .. '.stitch'), 'partial', '1')
  end
  abandon_job(job, over, ARGV[9], ARGV[10], ARGV[11])
end
if over ~= '' then
  redis.call('HSET', job_key(id), 'finished', ended)
  redis.call('ZADD', KEY.finished, ended, id)
end
return {'ok'}
