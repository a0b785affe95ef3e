#!/bin/sh
# A fully static C++ program with libfreehold.a: operator new and delete in all their forms come from it, exceptions and
# threads work, and a refused request throws std::bad_alloc.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
built_only
need g++ g++

cat >work.cc <<'CPP'
#include "proof.h"
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

struct alignas(256) Wide {
    char bytes[700];
};

// Proves, then frees with the form of delete that belongs to it.
template <typename Free> static void form(void *block, std::size_t size, Free free_it)
{
    const char *wanted = getenv("PROOF");
    if (wanted == nullptr || std::string(wanted) != "no")
        proof_of_block(block, size);
    free_it(block);
}

int main()
{
    using std::align_val_t;
    proof_of_malloc();
    form(::operator new(10), 10, [](void *p) { ::operator delete(p); });
    form(::operator new(300), 300, [](void *p) { ::operator delete(p, std::size_t{300}); });
    form(::operator new[](20), 20, [](void *p) { ::operator delete[](p); });
    form(::operator new[](5000), 5000, [](void *p) { ::operator delete[](p, std::size_t{5000}); });
    form(::operator new(40, std::nothrow), 40, [](void *p) { ::operator delete(p, std::nothrow); });
    form(::operator new[](40, std::nothrow), 40, [](void *p) { ::operator delete[](p, std::nothrow); });
    form(::operator new(64, align_val_t{64}), 64, [](void *p) { ::operator delete(p, align_val_t{64}); });
    form(::operator new(640, align_val_t{128}), 640,
         [](void *p) { ::operator delete(p, std::size_t{640}, align_val_t{128}); });
    form(::operator new[](64, align_val_t{4096}), 64, [](void *p) { ::operator delete[](p, align_val_t{4096}); });
    form(::operator new(200000, align_val_t{64}, std::nothrow), 200000,
         [](void *p) { ::operator delete(p, align_val_t{64}, std::nothrow); });
    std::vector<std::thread> crew;
    std::vector<std::map<std::string, std::vector<int>>> maps(4);
    for (std::size_t n = 0; n < maps.size(); n++)
        crew.emplace_back([&maps, n] {
            for (int i = 0; i < 5000; i++)
                maps[n]["key number " + std::to_string(i * 7919 % 3001)].push_back(i);
        });
    for (auto &thread : crew)
        thread.join();
    std::size_t sum = 0;
    for (auto &map : maps)
        for (auto &entry : map)
            sum += entry.first.size() * entry.second.size();
    maps.clear();
    auto wide = std::make_unique<Wide[]>(30);
    std::cout << sum << ' ' << (reinterpret_cast<std::uintptr_t>(wide.get()) % 256) << '\n';
    wide.reset();
    try {
        std::string().reserve(std::string().max_size());
        std::cout << "not refused\n";
    } catch (const std::bad_alloc &) {
        std::cout << "bad_alloc\n";
    }
    try {
        throw std::string("an exception");
    } catch (const std::string &text) {
        std::cout << text << '\n';
    }
    std::cout << (::operator new(SIZE_MAX / 4, std::nothrow) == nullptr) << '\n';
    proof_of_soundness();
}
CPP

flags="-std=c++17 -O1 -D_GNU_SOURCE -pthread -I$root/include -I$here"
# shellcheck disable=SC2086 # a list
g++ $flags -c work.cc -o work.o
g++ work.o -pthread -o plain
PROOF=no
export PROOF
on_system expected ./plain
unset PROOF
for way in static static-pie; do
    if [ "$way" = static-pie ]; then
        # shellcheck disable=SC2086
        g++ $flags -fPIE -c work.cc -o work.o
    fi
    g++ "-$way" work.o "$build/libfreehold.a" -pthread -o "$way" 2>link.log || {
        show link.log
        fail "-$way: does not link"
    }
    limited env FREEHOLD_REPORT=1 FREEHOLD_CHECK=1 "./$way" >got 2>got.err || {
        status=$?
        show got.err
        fail "-$way: exit status $status"
    }
    complaints got.err
    same expected got "the output of the program linked by -$way"
    ran_on got.err "$way"
done
