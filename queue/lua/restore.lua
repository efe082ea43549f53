-- Brings back a job that this server has lost, or has as it was before changes that it has lost, from what lies in DATA.
--
-- KEYS[1]  job:record:<job>
-- ARGV[3]  job id
-- ARGV[4]  as it was asked (JSON); ARGV[5] its request id, ARGV[6] how long that is remembered, milliseconds
-- ARGV[7]  when it was submitted, milliseconds
-- ARGV[8]  done, failed or cancelled, or "" for a job that goes on; then ARGV[9] error class, ARGV[10] message, ARGV[11] task,
--          ARGV[12] when it ended, milliseconds
-- ARGV[13] revision; then, "1" or "0" each but the priority: ARGV[14] paused, ARGV[15] priority or "" (as planned),
--          ARGV[16] allow_mix, ARGV[17] after_waived, ARGV[18] used
-- ARGV[19] the plan: see enter_plan
-- Returns  {"ok"}, also when it is there; {"gone"} when it is in the inbox, was rejected or is being removed.
local id, request, over, ended, revision, used = ARGV[3], ARGV[5], ARGV[8], ARGV[12], ARGV[13], ARGV[18]
local changes = {paused = ARGV[14], priority = ARGV[15] ~= '' and ARGV[15] or nil, allow_mix = ARGV[16],
                 after_waived = ARGV[17]}

-- What is older than DATA goes: whoever still works on it is told so at its next write.
local function drop(job)
  for _, task_id in ipairs(job_tasks(job.id)) do
    local task = load_task(task_id)
    if task then unindex(task, job) end
    redis.call('ZREM', KEY.leases, task_id)
    redis.call('DEL', task_key(task_id))
  end
  redis.call('DEL', job_key(job.id), job_tasks_key(job.id), job_blocklist_key(job.id), job_crashed_key(job.id))
  redis.call('ZREM', KEY.finished, job.id)
end

local older
if redis.call('EXISTS', job_key(id)) == 1 then
  older = load_job(id)
  if not older or number(older.revision) >= number(revision) then return {'ok'} end
  drop(older)
elseif redis.call('EXISTS', inbox_key(id), rejected_key(id)) + redis.call('HEXISTS', KEY.removing, id) > 0 then
  return {'gone'}
end
if request ~= '' then redis.call('SET', request_key(request), id, 'PX', ARGV[6], 'NX') end
local entry = {asked = ARGV[4], request = request, sequence = older and older.sequence or redis.call('INCR', KEY.sequence),
               submitted = ARGV[7]}
local job = enter_plan(id, entry, 19, changes)
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
local family = family_of(id)
if used == '1' then
  redis.call('SET', used_take_key(family), job.take)
elseif redis.call('GET', used_take_key(family)) == job.take then
  redis.call('DEL', used_take_key(family))
end
redis.call('HSET', job_key(id), 'revision', revision, 'used', used)
return {'ok'}
