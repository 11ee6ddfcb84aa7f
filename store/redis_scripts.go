package store

import "github.com/redis/go-redis/v9"

// What a bucket is in Redis. Its number is the hash tag of all its keys, so that they
// lie in one slot of a cluster and one script can change them together:
//
//	cs:{07}:v:<name>   a value: version (8 bytes), expiry in ms or 0 (8 bytes), the bytes
//	cs:{07}:n          a sorted set, all scores 0: the names of the values in their order
//	cs:{07}:x          a sorted set: names by the expiry of their values
//	cs:{07}:c:<name>   a counter: "<total> <expiry in ms or 0>"
//
// Redis removes values and counters itself when they expire; it is told one millisecond
// less, because a key is still there in the very millisecond of its expiry and ours is
// absent from it on. What stays in n is skipped by everything that reads it, and
// removed by a scan that meets it or by the sweep.
//
// Scripts find the values of a scan by the names in n, so not every key can be named
// beforehand; all of them share the tag of those that are. A script reads
// everything it judges by before its first change: a script that fails is not rolled back.

// KEYS: n, x, the values. ARGV: the length of what precedes a name in a value's key;
// then for each value its condition ("*", nothing for absent, or 8 bytes of version),
// what to store (nothing: delete), and its expiry in ms (nothing: never).
// It returns 1, or 0 for a conflict.
var applyScript = newScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local skip = tonumber(ARGV[1]) + 1
local old = {}
for i = 3, #KEYS do
  local head = redis.call('GETRANGE', KEYS[i], 0, 15)
  local want = ARGV[i * 3 - 7]
  if want ~= '*' and want ~= string.sub(head, 1, 8) then return 0 end
  old[i] = head
end
for i = 3, #KEYS do
  local key, value, expires = KEYS[i], ARGV[i * 3 - 6], ARGV[i * 3 - 5]
  local name = string.sub(key, skip)
  local expired = string.sub(old[i], 9)
  local timed = expired ~= '' and expired ~= '\0\0\0\0\0\0\0\0'
  if value == '' or (expires ~= '' and tonumber(expires) <= now) then
    if old[i] ~= '' then
      redis.call('DEL', key)
      redis.call('ZREM', KEYS[1], name)
    end
    if timed then redis.call('ZREM', KEYS[2], name) end
  else
    if expires ~= '' then
      redis.call('SET', key, value, 'PXAT', string.format('%.0f', tonumber(expires) - 1))
      redis.call('ZADD', KEYS[2], expires, name)
    else
      redis.call('SET', key, value)
      if timed then redis.call('ZREM', KEYS[2], name) end
    end
    if old[i] == '' then redis.call('ZADD', KEYS[1], 0, name) end
  end
end
return 1
`)

// KEYS: a value. ARGV: the version that it must have. It puts the value where it is, so that replicas
// who have this have it too, and returns 1; or 0 if it is not there.
var confirmScript = newScript(`
local value = redis.call('GET', KEYS[1])
if not value or string.sub(value, 1, 8) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], value, 'KEEPTTL')
return 1
`)

// KEYS: n. ARGV: what precedes a name in a value's key, the bounds in the form of
// ZRANGEBYLEX, and the most items. It returns names and values in turn.
var scanScript = newScript(`
local found, dead = {}, {}
local from, most = ARGV[2], tonumber(ARGV[4])
while #found < most * 2 do
  local ask = math.max(most - #found / 2, 16)
  local names = redis.call('ZRANGEBYLEX', KEYS[1], from, ARGV[3], 'LIMIT', 0, ask)
  if #names == 0 then break end
  local keys = {}
  for i, name in ipairs(names) do keys[i] = ARGV[1] .. name end
  local values = redis.call('MGET', unpack(keys))
  for i, name in ipairs(names) do
    if not values[i] then
      dead[#dead + 1] = name
    elseif #found < most * 2 then
      found[#found + 1] = name
      found[#found + 1] = values[i]
    end
  end
  if #names < ask then break end
  from = '(' .. names[#names]
end
-- A server that takes no writes at the moment can still be read.
for i = 1, #dead, 1000 do
  redis.pcall('ZREM', KEYS[1], unpack(dead, i, math.min(i + 999, #dead)))
end
return found
`)

// KEYS: the counter. ARGV: what to add, and the lifetime in ms (0: none).
// It returns the total and the expiry in ms (0: none), as text: a number would
// be cut to what a double holds on its way out.
var addScript = newScript(`
local stored = redis.call('GET', KEYS[1])
local delta, ttl = tonumber(ARGV[1]), tonumber(ARGV[2])
local total, expires = 0, '0'
if stored then
  local gap = string.find(stored, ' ', 1, true)
  total, expires = tonumber(string.sub(stored, 1, gap - 1)), string.sub(stored, gap + 1)
elseif delta <= 0 then
  return {'0', '0'}
elseif ttl > 0 then
  local clock = redis.call('TIME')
  expires = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000) + ttl)
end
local sum = string.format('%.0f', math.min(math.max(total + delta, 0), 9007199254740991))
if delta ~= 0 then
  if stored then
    redis.call('SET', KEYS[1], sum .. ' ' .. expires, 'KEEPTTL')
  elseif expires ~= '0' then
    redis.call('SET', KEYS[1], sum .. ' ' .. expires, 'PXAT', string.format('%.0f', tonumber(expires) - 1))
  else
    redis.call('SET', KEYS[1], sum .. ' 0')
  end
end
return {sum, expires}
`)

// KEYS: counters. ARGV: for each its total and its expiry in ms (0: none).
var setCountersScript = newScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 1, #KEYS do
  local total, expires = ARGV[i * 2 - 1], ARGV[i * 2]
  if expires == '0' then
    redis.call('SET', KEYS[i], total .. ' 0')
  elseif tonumber(expires) <= now then
    redis.call('DEL', KEYS[i])
  else
    redis.call('SET', KEYS[i], total .. ' ' .. expires, 'PXAT', string.format('%.0f', tonumber(expires) - 1))
  end
end
return 1
`)

// KEYS: n, x. ARGV: what precedes a name in a value's key, and the most names. It
// forgets names whose values have expired and returns how many it looked at. It
// stays a little behind the clock, so that Redis has surely let the values go.
var sweepScript = newScript(`
local clock = redis.call('TIME')
local due = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000) - 1000)
local names = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', due, 'LIMIT', 0, tonumber(ARGV[2]))
for _, name in ipairs(names) do
  if redis.call('EXISTS', ARGV[1] .. name) == 0 then redis.call('ZREM', KEYS[1], name) end
  redis.call('ZREM', KEYS[2], name)
end
return #names
`)

// script is a text and the digest that servers know it by.
type script struct{ text, hash string }

func newScript(text string) script { return script{text, redis.NewScript(text).Hash()} }
