-- How a job goes on and how it ends.

-- What a job that is not over calls itself.
local function live_state(job)
  if job.paused == '1' then return 'paused' end
  if job.hold ~= '' then return 'held' end
  return number(job.started) > 0 and 'running' or 'queued'
end

-- A job that is over is closed once nothing of it runs or will run.
local function close_if_over(job)
  if not OVER[job.state] or job.closed == '1' then return end
  for _, id in ipairs(job_tasks(job.id)) do
    local state = field(task_key(id), 'state')
    if state == 'leased' or state == 'ready' or state == 'waiting' then return end
  end
  job.closed = '1'
  redis.call('HSET', job_key(job.id), 'closed', '1')
  event('closed', job.id, {'state', job.state})
end

-- Jobs held for this one: let go when it is done, else told why they go on waiting.
local function tell_followers(job)
  local key = job_after_key(job.id)
  for _, id in ipairs(redis.call('SMEMBERS', key)) do
    local follower = load_job(id)
    if follower and follower.hold ~= '' and not OVER[follower.state] then
      if job.state == 'done' then
        follower.hold = ''
        local state = live_state(follower)
        redis.call('HSET', job_key(id), 'hold', '', 'state', state)
        event('resumed', id, {'state', state, 'text', job.id .. ' is done'})
        for _, task_id in ipairs(job_tasks(id)) do
          local task = load_task(task_id)
          if task and not task.unreadable and task.state == 'ready' then index_ready(task, follower) end
        end
      else
        redis.call('HSET', job_key(id), 'hold', 'waits for ' .. job.id .. ', which is ' .. job.state)
      end
    end
  end
  if job.state == 'done' then redis.call('DEL', key) end
end

-- Notes how much a job may still write: of the disk it was planned with, the share of its own windows that are not done.
local function reserve(job)
  if OVER[job.state] then
    redis.call('HDEL', KEY.reserved, job.id)
    return
  end
  local open = 0
  for _, id in ipairs(job_tasks(job.id)) do
    local task = read(task_key(id), {'kind', 'state'})
    if task.kind == 'window' and task.state ~= 'done' then open = open + 1 end
  end
  local bytes = number(job.bytes_needed) * open / math.max(number(job.rendered), 1)
  redis.call('HSET', KEY.reserved, job.id, string.format('%.0f', math.floor(bytes)))
end

-- One more change of a job that DATA has to know: a coordinator keeps it there, and sees which of the two is older.
local function revise(job_id) redis.call('HINCRBY', job_key(job_id), 'revision', 1) end

local function set_job_over(job, state, error_class, message, task_id)
  job.state = state
  redis.call('HSET', job_key(job.id), 'state', state, 'finished', now, 'error_class', error_class, 'error', message,
             'error_task', task_id)
  redis.call('ZADD', KEY.finished, now, job.id)
  revise(job.id)
  reserve(job)
  event(state, job.id, {'state', state, 'text', message})
  tell_followers(job)
end

-- Ends a job before its time (failed, cancelled): what is not running goes at once, what runs is told at its next write, and
-- the stitch task is left to make a partial file of the leading windows, when there are any.
local function abandon_job(job, state, error_class, message, task_id)
  set_job_over(job, state, error_class, message, task_id)
  local leading, broken, stitch = 0, false, nil
  for _, id in ipairs(job_tasks(job.id)) do
    local task = load_task(id)
    if task and not task.unreadable then
      if task.kind == 'stitch' then
        stitch = task
      else
        if task.state == 'waiting' or task.state == 'ready' then
          unindex(task, job)
          redis.call('HSET', task_key(id), 'state', 'cancelled', 'finished', now)
          task.state = 'cancelled'
        end
        if task.kind == 'window' then
          broken = broken or task.state ~= 'done'
          if not broken then leading = leading + 1 end
        end
      end
    else
      broken = true
    end
  end
  if stitch and (stitch.state == 'waiting' or stitch.state == 'ready' or stitch.state == 'leased') then
    if leading > 0 then
      redis.call('HSET', task_key(stitch.id), 'partial', '1', 'window_limit', leading)
      redis.call('HSET', job_key(job.id), 'partial', '1')
    elseif stitch.state ~= 'leased' then
      unindex(stitch, job)
      redis.call('HSET', task_key(stitch.id), 'state', 'cancelled', 'finished', now)
    end
  end
  close_if_over(job)
end
