-- What several commands answer that only read, with nothing done in between.
--
-- KEYS  the keys read
-- ARGV  one MessagePack array of commands: {command, key, argument ...}, where key is an index into KEYS

local answers = {}

for number, command in ipairs(cmsgpack.unpack(ARGV[1])) do
  command[2] = KEYS[command[2]]
  local answer = redis.pcall(unpack(command))
  if type(answer) == 'table' and answer.err then
    local code, said = string.match(answer.err, '^(%S+) (.*)$')
    return redis.error_reply((code or answer.err) .. ' ' .. command[2] .. ': ' .. (said or ''))
  end
  answers[number] = answer
end

return answers
