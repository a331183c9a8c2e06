-- One step of the store: every write of it, or none.
--
-- KEYS  the keys written or asked about; KEYS[1] is the hash that holds the log's progress
-- ARGV  one MessagePack array: the type of each key, the conditions, the commands
--
-- A condition is {command, key, argument ..., expected answer, or false for none}. If one does not hold, nothing is
-- written and -1 is returned. A command is {command, key, argument ...}. In both, key is an index into KEYS; in
-- commands an argument n that is a number stands for the n-th position after the end of the log, and {text, n} for
-- text followed by it. Returned is the end of the log before the step.

local types, conditions, commands = unpack(cmsgpack.unpack(ARGV[1]))

-- a command that fails half-way would leave the earlier ones done
for number, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key)['ok']
  if found ~= 'none' and found ~= types[number] then
    return redis.error_reply('WRONGTYPE ' .. key .. ' holds a ' .. found .. ', not the ' .. types[number]
      .. ' that tiercel keeps there')
  end
end

for _, condition in ipairs(conditions) do
  local expected = table.remove(condition)
  condition[2] = KEYS[condition[2]]
  local answer = redis.call(unpack(condition))
  if type(answer) == 'number' then
    answer = tostring(answer)
  end
  if answer ~= expected then
    return -1
  end
end

local last = tonumber(redis.call('HGET', KEYS[1], 'position') or 0)

local function position(number)
  return string.format('%016.0f', last + number)
end

for _, command in ipairs(commands) do
  command[2] = KEYS[command[2]]
  for place = 3, #command do
    local argument = command[place]
    if type(argument) == 'number' then
      command[place] = position(argument)
    elseif type(argument) == 'table' then
      command[place] = argument[1] .. position(argument[2])
    end
  end
  redis.call(unpack(command))
end

return last
