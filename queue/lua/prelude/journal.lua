-- What is told to whoever reads the events, and what nobody could read.

-- more: flat list of further fields (task, owner, state, class, text, attempt, step, steps).
local function event(kind, job, more)
  redis.call('XADD', KEY.events, 'MAXLEN', '~', max_events, '*', 'type', kind, 'job', job, unpack(more or {}))
end

local function dead_letter(kind, subject, reason, payload)
  redis.call('XADD', KEY.dead, 'MAXLEN', '~', '10000', '*', 'kind', kind, 'subject', subject, 'reason', reason, 'payload',
             payload or '')
end
