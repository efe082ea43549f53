-- Put before every transition. A transition's own arguments start at ARGV[3].
--
-- KEYS[1]  the record or index the transition is about: routes the call on a cluster. Every other key shares its {farm} tag.
-- ARGV[1]  prefix of every key, "{farm}:"
-- ARGV[2]  events kept in the stream, approximately
--
-- Rules: a transition checks everything before its first write. Time is the server's; for tests lease:clock_offset adds
-- milliseconds to it, or as "=N" stops it at N. JSON (spec, artifact, ...) is stored and returned, never read. The leases are the one list of who runs what:
-- task state "leased" and membership of lease:expiry change together, and limits are counted there.
--
-- A ready task is in exactly one index: task:delayed until its back-off is over; else, unless its job is paused or held,
-- task:ready:<kind>:<bundle>[:<audience>] or task:ready:stitch. Pause, hold and audience do not concern stitching.

local prefix, max_events = ARGV[1], ARGV[2]
local SCHEMA = '1'

local KEY = {
  inbox = prefix .. 'inbox:index',
  sequence = prefix .. 'inbox:sequence',
  jobs = prefix .. 'job:index',
  finished = prefix .. 'job:finished',
  reserved = prefix .. 'job:reserved',
  delayed = prefix .. 'task:delayed',
  ready_stitch = prefix .. 'task:ready:stitch',
  leases = prefix .. 'lease:expiry',
  claims = prefix .. 'lease:claims',
  clock_offset = prefix .. 'lease:clock_offset',
  groups = prefix .. 'group:index',
  bundles = prefix .. 'bundle:index',
  events = prefix .. 'event:stream',
  dead = prefix .. 'event:dead',
  disk = prefix .. 'farm:disk',
}
local function inbox_key(job) return prefix .. 'inbox:entry:' .. job end
local function rejected_key(job) return prefix .. 'inbox:rejected:' .. job end
local function request_key(request) return prefix .. 'request:' .. request end
local function job_key(job) return prefix .. 'job:record:' .. job end
local function job_tasks_key(job) return prefix .. 'job:tasks:' .. job end
local function job_after_key(job) return prefix .. 'job:after:' .. job end
local function job_blocklist_key(job) return prefix .. 'job:blocklist:' .. job end
local function takes_key(family) return prefix .. 'job:takes:' .. family end
local function used_take_key(family) return prefix .. 'job:used:' .. family end
local function forgotten_key(job) return prefix .. 'job:forgotten:' .. job end
local function task_key(task) return prefix .. 'task:record:' .. task end
local function group_key(group) return prefix .. 'group:record:' .. group end
local function bundle_key(hash) return prefix .. 'bundle:record:' .. hash end
local function ready_key(kind, bundle, audience)
  if kind == 'stitch' then return KEY.ready_stitch end
  local key = prefix .. 'task:ready:' .. kind .. ':' .. bundle
  if audience ~= '' then key = key .. ':' .. audience end
  return key
end

local function server_ms()
  local time, offset = redis.call('TIME'), redis.call('GET', KEY.clock_offset) or '0'
  local stopped = string.match(offset, '^=(%d+)$')
  if stopped then return tonumber(stopped) end
  return time[1] * 1000 + math.floor(time[2] / 1000) + (tonumber(offset) or 0)
end
local now = server_ms()

-- The named fields of a hash as a table; a missing field is ''. A key that is no hash reads as one with schema "none".
local function read(key, names)
  local values = redis.pcall('HMGET', key, unpack(names))
  local record = {}
  for i, name in ipairs(names) do record[name] = not values.err and values[i] or '' end
  if values.err then record.schema = 'none' end
  return record
end

local function field(key, name) return read(key, {name})[name] end

local TASK_FIELDS = {'schema', 'job', 'kind', 'window', 'state', 'depends', 'dependents', 'bundle', 'priority', 'sequence',
                     'attempt', 'owner', 'nonce', 'crashes', 'failures', 'preemptions', 'step', 'step_reached', 'phase',
                     'tail_sha256', 'digest', 'not_before', 'partial', 'lease_ms', 'ended', 'started', 'host'}
local JOB_FIELDS = {'schema', 'state', 'paused', 'hold', 'fingerprint', 'allow_mix', 'dtype', 'priority', 'sequence',
                    'started', 'closed', 'windows', 'bytes_needed', 'rendered', 'revision'}
local KINDS = {image = true, window = true, stitch = true}
local OVER = {done = true, failed = true, cancelled = true}

-- nil when there is no such task; a record that lacks what transitions need has .unreadable set to a reason.
local function load_task(id)
  local task = read(task_key(id), TASK_FIELDS)
  task.id = id
  if task.schema == '' and task.state == '' and task.job == '' then return nil end
  if task.schema ~= SCHEMA then
    task.unreadable = 'task record has schema "' .. task.schema .. '", known is ' .. SCHEMA
  elseif task.job == '' or task.state == '' or not KINDS[task.kind] then
    task.unreadable = 'task record lacks job, kind or state'
  elseif not tonumber(task.priority) or not tonumber(task.sequence) or not tonumber(task.attempt) then
    task.unreadable = 'task record has no number in priority, sequence or attempt'
  end
  return task
end

local function load_job(id)
  local job = read(job_key(id), JOB_FIELDS)
  if job.schema ~= SCHEMA or job.state == '' then return nil end
  job.id = id
  return job
end

-- The first of the takes that a job is one of: itself, if it is no new take of another.
local function family_of(job)
  local family = field(job_key(job), 'family')
  return family ~= '' and family or job
end

local function number(text) return tonumber(text) or 0 end

-- The job a task id belongs to: ids are "<job>.<what>", so this works without the record.
local function job_of(task_id) return string.match(task_id, '^(.*)%.[^.]*$') or '' end

-- more: flat list of further fields (task, owner, state, class, text, attempt, step, steps).
local function event(kind, job, more)
  redis.call('XADD', KEY.events, 'MAXLEN', '~', max_events, '*', 'type', kind, 'job', job, unpack(more or {}))
end

local function dead_letter(kind, subject, reason, payload)
  redis.call('XADD', KEY.dead, 'MAXLEN', '~', '10000', '*', 'kind', kind, 'subject', subject, 'reason', reason, 'payload',
             payload or '')
end

-- Higher priority first, then submit order; tasks of one job tie and sort by id. Exact: below 2^50.
local function rank(task) return (100 - number(task.priority)) * 4398046511104 + number(task.sequence) end

-- The groups that calculate in a dtype. No fingerprint looks like this: fingerprints are hexadecimal.
local function with_dtype(dtype) return dtype ~= '' and 'dtype=' .. dtype or '' end

-- Which groups may claim what a job renders: those with its fingerprint, else those with the dtype it asks for; '' is all.
local function audience(job)
  if job.fingerprint ~= '' and job.allow_mix ~= '1' then return job.fingerprint end
  return with_dtype(job.dtype)
end

-- Enters a task of state ready into the index it belongs to, or into none while its job is paused or held.
local function index_ready(task, job)
  if number(task.not_before) > now then
    redis.call('ZADD', KEY.delayed, task.not_before, task.id)
    return
  end
  -- Its rest, if it had one, is over for good, whatever the clock does next.
  if number(task.not_before) ~= 0 then redis.call('HSET', task_key(task.id), 'not_before', 0) end
  if task.kind == 'stitch' then
    redis.call('ZADD', KEY.ready_stitch, rank(task), task.id)
  elseif job.paused ~= '1' and job.hold == '' then
    redis.call('ZADD', ready_key(task.kind, task.bundle, audience(job)), rank(task), task.id)
  end
end

local function unindex(task, job)
  redis.call('ZREM', KEY.delayed, task.id)
  for _, to in ipairs({'', with_dtype(job.dtype), job.fingerprint}) do
    redis.call('ZREM', ready_key(task.kind, task.bundle, to), task.id)
  end
end

-- Ready after `delay` milliseconds.
local function make_ready(task, job, delay)
  task.state, task.not_before = 'ready', delay > 0 and now + delay or 0
  redis.call('HSET', task_key(task.id), 'state', 'ready', 'not_before', task.not_before)
  index_ready(task, job)
  event('ready', task.job, {'task', task.id, 'state', 'ready'})
end

-- depends: "task:tail" and "task:done", separated by spaces.
local function dependencies_met(task)
  for other, on in string.gmatch(task.depends, '(%S+):(%a+)') do
    local dependency = read(task_key(other), {'state', 'tail_sha256'})
    local met = dependency.state == 'done' or (on == 'tail' and dependency.tail_sha256 ~= '')
    if not met then return false end
  end
  return true
end

-- Makes ready what waits for `task` and now may run. Looks at the dependencies themselves: no counter can drift.
local function settle_dependents(task, job)
  for id in string.gmatch(task.dependents, '%S+') do
    local dependent = load_task(id)
    if dependent and not dependent.unreadable and dependent.state == 'waiting' and dependencies_met(dependent) then
      make_ready(dependent, job, 0)
    end
  end
end

-- Until a dependency is met again. The caller has taken the task out of its index.
local function make_waiting(task)
  task.state = 'waiting'
  redis.call('HSET', task_key(task.id), 'state', 'waiting', 'not_before', 0)
end

-- After a lease: ready once more, or waiting where what it starts from was given up meanwhile (reject_input).
local function make_ready_again(task, job, delay)
  if dependencies_met(task) then make_ready(task, job, delay) else make_waiting(task) end
end

-- Ends a lease: the task leaves the leases and takes `state`; `verb` and the token make a repeat of the call recognisable.
local function end_lease(task, state, verb)
  redis.call('ZREM', KEY.leases, task.id)
  redis.call('HSET', task_key(task.id), 'state', state, 'ended',
             verb .. ' ' .. task.owner .. ' ' .. task.attempt .. ' ' .. task.nonce)
  task.state = state
end

local function mark_finished(task) redis.call('HSET', task_key(task.id), 'finished', now) end

local function job_tasks(job_id) return redis.call('LRANGE', job_tasks_key(job_id), 0, -1) end

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

-- What a job that is not over calls itself.
local function live_state(job)
  if job.paused == '1' then return 'paused' end
  if job.hold ~= '' then return 'held' end
  return number(job.started) > 0 and 'running' or 'queued'
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

-- A task will not be done: its job has failed, unless it was over already.
local function give_up(task, job, error_class, message)
  mark_finished(task)
  event(task.state, task.job, {'task', task.id, 'owner', task.owner, 'state', task.state, 'class', error_class, 'text', message})
  if OVER[job.state] then close_if_over(job) else abandon_job(job, 'failed', error_class, message, task.id) end
end

-- A task's record cannot be read or is gone.
local function drop_corrupt(id, reason)
  dead_letter('task', id, reason)
  redis.call('ZREM', KEY.leases, id)
  local key = task_key(id)
  if redis.call('TYPE', key).ok == 'hash' then
    redis.call('HSET', key, 'state', 'corrupt', 'error_class', 'corrupt', 'error', reason, 'finished', now)
  end
  event('corrupt', job_of(id), {'task', id, 'state', 'corrupt', 'text', reason})
  local job = load_job(job_of(id))
  if job and not OVER[job.state] then
    abandon_job(job, 'failed', 'corrupt', id .. ': ' .. reason, id)
  elseif job then
    close_if_over(job)
  end
end

-- Checks a fencing token. Returns task, job, code: ok, stale, cancelled, paused, gone.
-- A lease past its time that nobody has reaped or taken is still its owner's.
local function fence(id, owner, attempt, nonce)
  local task = load_task(id)
  if not task then return nil, nil, 'gone' end
  if task.unreadable or task.state ~= 'leased' or task.owner ~= owner or task.attempt ~= attempt or task.nonce ~= nonce then
    return task, nil, 'stale'
  end
  local job = load_job(task.job)
  if not job then return task, nil, 'gone' end
  if task.kind ~= 'stitch' then
    if OVER[job.state] then return task, job, 'cancelled' end
    if job.paused == '1' then return task, job, 'paused' end
  end
  return task, job, 'ok'
end

-- The same call sent again after its answer was lost.
local function is_repeat(task, verb, owner, attempt, nonce)
  return task ~= nil and task.ended == verb .. ' ' .. owner .. ' ' .. attempt .. ' ' .. nonce
end

local function extend(task, lease_ms) redis.call('ZADD', KEY.leases, now + lease_ms, task.id) end

-- The end of a lease on a job that is over: nothing of it is kept.
local function end_cancelled(task, job, verb)
  end_lease(task, 'cancelled', verb)
  mark_finished(task)
  event('cancelled', task.job, {'task', task.id, 'state', 'cancelled', 'owner', task.owner})
  close_if_over(job)
end

-- What transitions that give a lease back begin with; the token is ARGV[3] to ARGV[6]. Returns task, job, code where there is
-- something to give back, code being ok or paused; else nil, nil and the code to answer with.
local function fence_to_end(verb)
  local owner, attempt, nonce = ARGV[4], ARGV[5], ARGV[6]
  local task, job, code = fence(ARGV[3], owner, attempt, nonce)
  if code == 'stale' and is_repeat(task, verb, owner, attempt, nonce) then return nil, nil, 'ok' end
  if not job then return nil, nil, code end
  if code ~= 'cancelled' then return task, job, code end
  end_cancelled(task, job, verb)
  return nil, nil, code
end

-- One more crash of a job on the host that held the task. From `limit` on the job passes that host by, while it can.
local function count_host_crash(task, limit)
  if task.kind == 'stitch' then return end
  local crashes = redis.call('HINCRBY', job_blocklist_key(task.job), task.host, 1)
  if crashes == limit then
    event('blocklisted', task.job, {'task', task.id, 'owner', task.owner, 'attempt', task.attempt, 'text', task.host})
  end
end

-- Counts one more crash or failure and either rests the task or gives it up.
-- counter: crashes | failures. limit: at which `final` (poison | failed) is its state. base, cap: back-off, milliseconds.
local function count_and_retry(task, job, counter, limit, final, verb, error_class, message, base, cap)
  local count = number(task[counter]) + 1
  local over = count >= limit
  end_lease(task, over and final or 'ready', verb)
  redis.call('HSET', task_key(task.id), counter, count, 'error_class', error_class, 'error', message)
  if over then
    give_up(task, job, final == 'poison' and 'poison' or error_class, message)
  else
    event('retry', task.job, {'task', task.id, 'owner', task.owner, 'attempt', task.attempt, 'class', error_class,
                              'text', message})
    make_ready_again(task, job, math.min(cap, base * 2 ^ math.min(count - 1, 30)))
  end
  return over
end
