-- Leases the first ready task that the caller can do: by priority, then submit order, then id.
--
-- KEYS[1]  lease:expiry
-- ARGV[3]  owner: group or stitcher id
-- ARGV[4]  its host
-- ARGV[5]  nonce: random, of this claim; the same one again gives the same lease
-- ARGV[6]  lease, milliseconds
-- ARGV[7]  kinds, separated by spaces
-- ARGV[8]  bundle hash (image and window)
-- ARGV[9]  fingerprint (image and window)
-- ARGV[10] dtype the group calculates in (image and window); "": only what any group may claim
-- ARGV[11] leases the owner may hold; 0: no limit
-- ARGV[12] crashes of one job on one host from which on the job passes it by, unless no other host is left
-- ARGV[13] a group not seen for longer is gone, milliseconds
-- Returns  {"ok", task id, attempt, expiry ms, task record (HGETALL), job spec, {input id, kind, window, tail, artifact, ...}},
--          {"none"}, {"draining"}, {"limit"}, or {"stopped"}: DATA is above its high-water mark, or the farm is paused.
local owner, host, nonce, lease_ms = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local bundle, fingerprint, dtype, max_leases = ARGV[8], ARGV[9], ARGV[10], tonumber(ARGV[11])
local max_host_crashes, group_timeout = tonumber(ARGV[12]), tonumber(ARGV[13])

local function grant(task, expiry)
  local inputs = {}
  for other in string.gmatch(task.depends, '(%S+):%a+') do
    local input = read(task_key(other), {'kind', 'window', 'tail', 'artifact'})
    for _, value in ipairs({other, input.kind, input.window, input.tail, input.artifact}) do inputs[#inputs + 1] = value end
  end
  return {'ok', task.id, task.attempt, expiry, redis.call('HGETALL', task_key(task.id)),
          redis.call('HGET', job_key(task.job), 'spec'), inputs}
end

local last_nonce, last_task = string.match(redis.call('HGET', KEY.claims, owner) or '', '^(%S+) (%S+)$')
if last_nonce == nonce then
  local task = load_task(last_task)
  if task and task.state == 'leased' and task.owner == owner and task.nonce == nonce then
    return grant(task, redis.call('ZSCORE', KEY.leases, task.id))
  end
end
if redis.call('HGET', group_key(owner), 'drain') == '1' then return {'draining'} end
if max_leases > 0 then
  local held = 0
  for _, id in ipairs(redis.call('ZRANGE', KEY.leases, 0, -1)) do
    if field(task_key(id), 'owner') == owner then held = held + 1 end
  end
  if held >= max_leases then return {'limit'} end
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEY.delayed, '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEY.delayed, id)
  local task = load_task(id)
  local job = task and load_job(task.job)
  if job and not task.unreadable and task.state == 'ready' then index_ready(task, job) end
end

local stopped = farm_paused() or redis.call('HGET', KEY.disk, 'full') == '1'
local queues = {}
for kind in string.gmatch(ARGV[7], '%S+') do
  if kind == 'stitch' or not stopped then queues[#queues + 1] = ready_key(kind, bundle, '') end
  for _, to in ipairs({fingerprint, with_dtype(dtype)}) do
    if kind ~= 'stitch' and to ~= '' and not stopped then queues[#queues + 1] = ready_key(kind, bundle, to) end
  end
end
if #queues == 0 then return {'stopped'} end

-- Takes the first id over all queues out of its queue.
local function pop()
  local best, best_rank, best_queue
  for _, queue in ipairs(queues) do
    local head = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
    if head[1] then
      local head_rank = tonumber(head[2])
      if not best or head_rank < best_rank or (head_rank == best_rank and head[1] < best) then
        best, best_rank, best_queue = head[1], head_rank, queue
      end
    end
  end
  if best then redis.call('ZREM', best_queue, best) end
  return best
end

local function crashes_on(job, at) return number(redis.call('HGET', job_blocklist_key(job), at)) end

-- Whether a live group on a host that the job does not pass by may claim the task. to: its audience.
local function other_host_left(task, to)
  for _, id in ipairs(redis.call('ZRANGE', KEY.groups, 0, -1)) do
    local group = read(group_key(id), {'state', 'drain', 'last_seen', 'host', 'bundle', 'fingerprint', 'dtype'})
    local live = group.state ~= 'failed' and group.state ~= 'draining' and group.drain ~= '1' and
                 now - number(group.last_seen) <= group_timeout
    local fits = group.bundle == task.bundle and (to == '' or to == group.fingerprint or to == with_dtype(group.dtype))
    if live and fits and crashes_on(task.job, group.host) < max_host_crashes then return true end
  end
  return false
end

-- What was popped for others goes back where it was.
local passed_by = {}
local function answer(reply)
  for _, passed in ipairs(passed_by) do index_ready(passed.task, passed.job) end
  return reply
end

-- What is popped and not leased leaves the queue for good reason, so the loop ends; the bound keeps one call short.
for _ = 1, 1000 do
  local id = pop()
  if not id then return answer({'none'}) end
  local task = load_task(id)
  local job = task and not task.unreadable and load_job(task.job)
  if not task then
    drop_corrupt(id, 'task record is missing')
  elseif task.unreadable then
    drop_corrupt(id, task.unreadable)
  elseif not job then
    drop_corrupt(id, 'job record is missing or unreadable')
  elseif task.state == 'ready' then
    local render = task.kind ~= 'stitch'
    local resting = render and (OVER[job.state] or job.paused == '1' or job.hold ~= '')
    local to = render and audience(job) or ''
    if to ~= '' and to ~= fingerprint and to ~= with_dtype(dtype) then
      index_ready(task, job)  -- into the queue of its own audience, where this caller does not look
    elseif not resting and render and crashes_on(task.job, host) >= max_host_crashes and other_host_left(task, to) then
      passed_by[#passed_by + 1] = {task = task, job = job}
    elseif not resting then
      task.attempt = string.format('%.0f', task.attempt + 1)
      redis.call('HSET', task_key(id), 'state', 'leased', 'attempt', task.attempt, 'owner', owner, 'nonce', nonce, 'host', host,
                 'claim', redis.call('INCR', KEY.claim_sequence), 'claimed', now, 'lease_ms', lease_ms, 'phase', '', 'step', 0, 'fraction', 0, 'not_before', 0,
                 'started', task.started ~= '' and task.started or now)
      redis.call('ZADD', KEY.leases, now + lease_ms, id)
      redis.call('HSET', KEY.claims, owner, nonce .. ' ' .. id)
      if (render and job.fingerprint == '') or number(job.started) == 0 or job.state == 'queued' then
        redis.call('HSET', job_key(task.job), 'fingerprint', job.fingerprint == '' and render and fingerprint or job.fingerprint,
                   'started', number(job.started) > 0 and job.started or now, 'state',
                   job.state == 'queued' and 'running' or job.state)
      end
      if render and crashes_on(task.job, host) >= max_host_crashes then
        event('unblocklisted', task.job, {'task', id, 'owner', owner, 'attempt', task.attempt, 'text', host})
      end
      event('claimed', task.job, {'task', id, 'state', 'leased', 'owner', owner, 'attempt', task.attempt})
      return answer(grant(task, string.format('%.0f', now + lease_ms)))
    end
  end
end
return answer({'none'})
