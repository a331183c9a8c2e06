-- What agents said last, unless something newer is kept.
--
-- KEYS  the index of who was heard, then a key for each agent
-- ARGV  the time to live in ms, the time before which the index is pruned, then for each agent: its id, the time until
--       which it is kept, what it said

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])

for number = 2, #KEYS do
  local first = 3 * (number - 1)
  local held = redis.call('ZSCORE', KEYS[1], ARGV[first])
  if not held or tonumber(held) <= tonumber(ARGV[first + 1]) then
    redis.call('ZADD', KEYS[1], ARGV[first + 1], ARGV[first])
    redis.call('SET', KEYS[number], ARGV[first + 2], 'PX', ARGV[1])
  end
end

return 0
