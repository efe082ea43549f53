-- Gives a job that will be accepted its number among the takes of another; the same one when asked again.
--
-- KEYS[1]  job:record:<parent>
-- ARGV[3]  job id
-- ARGV[4]  parent: any of the takes so far
-- Returns  {first of the takes, number}.
local id, family = ARGV[3], family_of(ARGV[4])
local key = takes_key(family)
redis.call('ZADD', key, 'NX', 1, family)
local take = redis.call('ZSCORE', key, id)
if not take then
  take = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2] + 1
  redis.call('ZADD', key, take, id)
end
return {family, tonumber(take)}
