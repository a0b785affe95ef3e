#!/bin/sh
# g++: a file heavy with templates (<regex>, <map>, <iostream>, <functional>, …); the compiler runs on freehold, and so
# does the program it makes, whose operator new and delete are the library's.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need g++ g++

cat >work.cc <<'CPP'
#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <future>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

struct alignas(128) Wide {
    std::array<unsigned char, 300> bytes{};
};
template <int N> struct Layer {
    std::map<std::string, std::variant<int, double, std::string, std::unique_ptr<Layer<N - 1>>>> parts;
    std::vector<std::function<int(int)>> steps;
    std::unordered_map<int, std::tuple<std::string, std::set<int>, std::list<double>>> index;
    int run(int n)
    {
        for (int i = 0; i < 4; i++) {
            auto below = std::make_unique<Layer<N - 1>>();
            int got = below->run(n + i);
            parts["below " + std::to_string(i)] = std::move(below);
            steps.emplace_back([got, text = std::string(static_cast<size_t>(n + i), 'x')](int k) {
                return static_cast<int>(text.size()) * k + got;
            });
            std::get<1>(index[got % 97]).insert(i * got);
        }
        return std::accumulate(steps.begin(), steps.end(), 0, [](int s, auto &f) { return (s + f(3)) % 1000003; }) +
               static_cast<int>(index.size());
    }
};
template <> struct Layer<0> {
    int run(int n) { return n; }
};

static size_t matches(const std::string &pattern, const std::string &text)
{
    std::regex expression(pattern, std::regex::ECMAScript | std::regex::icase);
    return static_cast<size_t>(std::distance(std::sregex_iterator(text.begin(), text.end(), expression), {}));
}

int main()
{
    Layer<5> layers;
    std::cout << "layers " << layers.run(5) << '\n';
    std::ostringstream text;
    for (int i = 0; i < 400; i++)
        text << "name" << i << "@host" << i % 7 << ".example, " << std::hex << i * 77 << std::dec << "; ";
    std::cout << "matches " << matches("([a-z]+\\d+)@(host[0-3])\\.example", text.str()) << ' '
              << matches("\\b[0-9a-f]{3,4};", text.str()) << '\n';
    std::vector<std::future<long>> crew;
    for (int n = 0; n < 4; n++)
        crew.push_back(std::async(std::launch::async, [n] {
            std::deque<std::shared_ptr<std::vector<int>>> queue;
            long sum = 0;
            for (int i = 0; i < 20000; i++) {
                queue.push_back(std::make_shared<std::vector<int>>(static_cast<size_t>(i % 90 + n), i));
                if (queue.size() > 300) {
                    sum += std::accumulate(queue.front()->begin(), queue.front()->end(), 0L);
                    queue.pop_front();
                }
            }
            return sum;
        }));
    for (auto &worker : crew)
        std::cout << "worker " << worker.get() << '\n';
    std::vector<std::unique_ptr<Wide>> wide;
    bool aligned = true;
    for (int i = 0; i < 500; i++) {
        wide.push_back(std::make_unique<Wide>());
        aligned = aligned && reinterpret_cast<uintptr_t>(wide.back().get()) % 128 == 0;
    }
    std::cout << "aligned " << aligned << '\n';
    try {
        std::vector<char> huge(static_cast<size_t>(1) << 62);
    } catch (const std::bad_alloc &error) {
        std::cout << "refused " << error.what() << '\n';
    }
    try {
        std::vector<long> list(5);
        std::cout << list.at(7);
    } catch (const std::exception &error) {
        std::cout << "caught\n";
    }
}
CPP

check_at_exit
on_system system.log g++ -std=c++17 -O0 -frandom-seed=1 -pthread -c work.cc -o expected.o
on_freehold freehold.log g++ -std=c++17 -O0 -frandom-seed=1 -pthread -c work.cc -o got.o
same expected.o got.o "the object file"
ran_on freehold.log.err '[^()]*g++[-0-9]*' cc1plus 'as'

on_system system.log g++ -pthread -o work expected.o
on_system expected ./work
on_freehold got ./work
same expected got "the output of the compiled program"
ran_on got.err work
binds ./work
