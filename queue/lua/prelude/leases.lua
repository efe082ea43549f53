-- Who holds a task, and how that ends. The leases are the one list of who runs what: task state "leased" and membership of
-- lease:expiry change together, and limits are counted there.

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
    if job.paused == '1' or farm_paused() then return task, job, 'paused' end
  end
  return task, job, 'ok'
end

-- The same call sent again after its answer was lost.
local function is_repeat(task, verb, owner, attempt, nonce)
  return task ~= nil and task.ended == verb .. ' ' .. owner .. ' ' .. attempt .. ' ' .. nonce
end

local function extend(task, lease_ms) redis.call('ZADD', KEY.leases, now + lease_ms, task.id) end

-- Ends a lease: the task leaves the leases and takes `state`; `verb` and the token make a repeat of the call recognisable.
local function end_lease(task, state, verb)
  redis.call('ZREM', KEY.leases, task.id)
  redis.call('HSET', task_key(task.id), 'state', state, 'ended',
             verb .. ' ' .. task.owner .. ' ' .. task.attempt .. ' ' .. task.nonce)
  task.state = state
end

local function mark_finished(task) redis.call('HSET', task_key(task.id), 'finished', now) end

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

-- One more crash of a job on the host that held the task. From `limit` on the job passes that host by, while it can. A group
-- that dies loses all that it holds: of those windows the first counts, and the others, claimed before that, do not.
local function count_host_crash(task, limit)
  if task.kind == 'stitch' then return end
  local lost = redis.call('HGET', job_crashed_key(task.job), task.owner)
  if lost and number(task.claim) <= number(lost) then return end
  redis.call('HSET', job_crashed_key(task.job), task.owner, redis.call('GET', KEY.claim_sequence) or 0)
  local crashes = redis.call('HINCRBY', job_blocklist_key(task.job), task.host, 1)
  if crashes == limit then
    event('blocklisted', task.job, {'task', task.id, 'owner', task.owner, 'attempt', task.attempt, 'text', task.host})
  end
end

-- Counts one more crash, loss or failure and either rests the task or gives it up.
-- counter: crashes | losses | failures. limit: at which `final` (poison | failed) is its state. base, cap: back-off, milliseconds.
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
