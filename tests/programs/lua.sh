#!/bin/sh
# Lua: binary trees, tables that grow by realloc, strings of all sizes, closures, coroutines, collected many times.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need lua5.4 lua5.4

cat >work.lua <<'LUA'
local function tree(depth)
  if depth == 0 then return {} end
  return { tree(depth - 1), tree(depth - 1) }
end
local function count(t)
  if not t[1] then return 1 end
  return 1 + count(t[1]) + count(t[2])
end
local long_lived = tree(16)
for depth = 4, 12, 4 do
  local sum = 0
  for _ = 1, 2 ^ (15 - depth) do sum = sum + count(tree(depth)) end
  print("depth", depth, "nodes", sum)
end
print("long lived", count(long_lived))

local grown = {}
for i = 1, 300000 do grown[i] = i * 3 % 1009 end
for i = 1, 300000, 7 do grown[i] = nil end
local sum = 0
for i, v in pairs(grown) do sum = (sum + i * v) % 1000000007 end
print("grown", sum)

local parts, length = {}, 0
for i = 1, 20000 do
  parts[#parts + 1] = string.rep(string.char(97 + i % 26), i % 900)
  if i % 100 == 0 then
    local s = table.concat(parts, ",")
    length = length + #s:gsub("a+", "<%0>"):upper()
    parts = {}
  end
end
print("strings", length)

local function words(n)
  return coroutine.wrap(function()
    for i = 1, n do coroutine.yield("word" .. i % 5000) end
  end)
end
local seen = {}
for _ = 1, 50 do
  for w in words(400) do seen[w] = (seen[w] or 0) + 1 end
end
local keys = {}
for k in pairs(seen) do keys[#keys + 1] = k end
table.sort(keys)
print("words", #keys, keys[1], keys[#keys], seen[keys[1]])
for mode = 1, 2 do
  collectgarbage(mode == 1 and "generational" or "incremental")
  local live = setmetatable({}, { __mode = "v" })
  for i = 1, 60000 do live[i % 1000] = { i, tostring(i), function() return i end } end
  collectgarbage()
  print("survivors", next(live) == nil and 0 or "some")
end
LUA

on_system expected lua5.4 work.lua
check_at_exit
on_freehold got lua5.4 work.lua
same expected got "the output of lua"
ran_on got.err 'lua5\.4'
binds lua5.4 -e 'print(("x"):rep(100))'
