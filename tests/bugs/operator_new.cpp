// operator_new - every form of operator new and delete: plain and array, throwing and nothrow, aligned, sized; what
// they
// answer at exhaustion, and that the new-handler is asked first.
//
// Argument: "forms", "exhaustion" or "throwing_handler" (nothrow forms whose handler throws).

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <malloc.h>
#include <new>
#include <string>
#include <vector>

static void fail(int line, const char *text)
{
    std::fprintf(stderr, "operator_new.cpp:%d: not so: %s\n", line, text);
    std::_Exit(1);
}

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

static std::size_t hidden(std::size_t n)
{
    __asm__ volatile("" : "+r"(n) : : "memory");
    return n;
}

static std::align_val_t align(std::size_t n)
{
    return static_cast<std::align_val_t>(n);
}

static void *usable(void *p, std::size_t n, std::size_t alignment)
{
    CHECK(p != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(p) % alignment == 0);
    CHECK(malloc_usable_size(p) >= n);
    std::memset(p, 0x3d, n);
    return p;
}

static void plain_forms(std::size_t n)
{
    ::operator delete(usable(::operator new(n), n, 16));
    ::operator delete(usable(::operator new(n), n, 16), n);
    ::operator delete[](usable(::operator new[](n), n, 16));
    ::operator delete[](usable(::operator new[](n), n, 16), n);
    ::operator delete(usable(::operator new(n, std::nothrow), n, 16));
    ::operator delete(usable(::operator new(n, std::nothrow), n, 16), std::nothrow);
    ::operator delete[](usable(::operator new[](n, std::nothrow), n, 16));
    ::operator delete[](usable(::operator new[](n, std::nothrow), n, 16), std::nothrow);
    // Not what the standard allows, but what programs do.
    std::free(usable(::operator new(n), n, 16));
    ::operator delete(usable(std::malloc(n), n, 16));
}

static void aligned_forms(std::size_t n, std::size_t a)
{
    ::operator delete(usable(::operator new(n, align(a)), n, a), align(a));
    ::operator delete(usable(::operator new(n, align(a)), n, a), n, align(a));
    ::operator delete[](usable(::operator new[](n, align(a)), n, a), align(a));
    ::operator delete[](usable(::operator new[](n, align(a)), n, a), n, align(a));
    ::operator delete(usable(::operator new(n, align(a), std::nothrow), n, a), align(a), std::nothrow);
    ::operator delete[](usable(::operator new[](n, align(a), std::nothrow), n, a), align(a), std::nothrow);
}

struct alignas(128) Aligned {
    char bytes[200];
};

static void forms()
{
    for (std::size_t n = 0; n < 200000; n = n < 600 ? n + 1 : n * 3 / 2) {
        plain_forms(n);
        for (std::size_t a = 8; a <= 8192; a *= 4)
            aligned_forms(n, a);
    }
    // new of nothing gives distinct blocks.
    void *first = ::operator new(hidden(0));
    void *second = ::operator new(hidden(0));
    CHECK(first != nullptr && second != nullptr && first != second);
    ::operator delete(first);
    ::operator delete(second);
    ::operator delete(nullptr);
    ::operator delete[](nullptr, std::nothrow);
    ::operator delete(nullptr, align(64));

    std::vector<std::string> strings;
    for (int i = 0; i < 10000; i++)
        strings.push_back("a string that does not fit inside " + std::to_string(i));
    for (int i = 0; i < 10000; i++)
        CHECK(strings[static_cast<std::size_t>(i)].substr(34) == std::to_string(i));
    for (int i = 0; i < 100; i++) {
        Aligned *one = new Aligned;
        Aligned *many = new Aligned[7];
        CHECK(reinterpret_cast<std::uintptr_t>(one) % 128 == 0 && reinterpret_cast<std::uintptr_t>(many) % 128 == 0);
        delete one;
        delete[] many;
    }
}

static int handler_calls;

static void patient_handler()
{
    if (++handler_calls % 3 == 0)
        std::set_new_handler(nullptr);
}

static void throwing_handler()
{
    handler_calls++;
    throw std::bad_alloc();
}

static const std::size_t too_much = SIZE_MAX / 2 - 100;

// Runs one throwing form, and says whether it threw bad_alloc after asking the handler three times.
template <typename Form> static bool throws_bad_alloc(Form form)
{
    handler_calls = 0;
    std::set_new_handler(patient_handler);
    try {
        form();
    } catch (const std::bad_alloc &) {
        return handler_calls == 3;
    }
    return false;
}

template <typename Form> static bool answers_null(Form form)
{
    handler_calls = 0;
    std::set_new_handler(patient_handler);
    return form() == nullptr && handler_calls == 3;
}

static void exhaustion()
{
    CHECK(throws_bad_alloc([] { return ::operator new(hidden(too_much)); }));
    CHECK(throws_bad_alloc([] { return ::operator new[](hidden(too_much)); }));
    CHECK(throws_bad_alloc([] { return ::operator new(hidden(too_much), align(64)); }));
    CHECK(throws_bad_alloc([] { return ::operator new[](hidden(too_much), align(64)); }));
    // libstdc++'s own rounds this size up to zero.
    if (std::getenv("FH_TEST_ANY_MALLOC") == nullptr)
        CHECK(throws_bad_alloc([] { return ::operator new(hidden(SIZE_MAX), align(4096)); }));
    CHECK(throws_bad_alloc([] { return ::operator new(hidden(SIZE_MAX)); }));
    CHECK(answers_null([] { return ::operator new(hidden(too_much), std::nothrow); }));
    CHECK(answers_null([] { return ::operator new[](hidden(too_much), std::nothrow); }));
    CHECK(answers_null([] { return ::operator new(hidden(too_much), align(64), std::nothrow); }));
    CHECK(answers_null([] { return ::operator new[](hidden(too_much), align(64), std::nothrow); }));
    std::set_new_handler(nullptr);
    CHECK(::operator new(hidden(too_much), std::nothrow) == nullptr);
    bool thrown = false;
    try {
        std::vector<char> all(hidden(too_much));
        CHECK(all.size() == 0);
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    CHECK(thrown);

    // A handler that throws is how a program says "give up"; its exception passes through the throwing forms.
    std::set_new_handler(throwing_handler);
    handler_calls = 0;
    thrown = false;
    try {
        ::operator delete(::operator new(hidden(too_much)));
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    CHECK(thrown && handler_calls == 1);
    std::set_new_handler(nullptr);
}

static void nothrow_with_throwing_handler()
{
    std::set_new_handler(throwing_handler);
    handler_calls = 0;
    CHECK(::operator new(hidden(too_much), std::nothrow) == nullptr);
    CHECK(::operator new[](hidden(too_much), std::nothrow) == nullptr);
    CHECK(::operator new(hidden(too_much), align(64), std::nothrow) == nullptr);
    CHECK(::operator new[](hidden(too_much), align(64), std::nothrow) == nullptr);
    CHECK(handler_calls == 4);
}

int main(int argc, char **argv)
{
    if (std::getenv("FH_TEST_ANY_MALLOC") == nullptr && dlsym(RTLD_DEFAULT, "fh_version") == nullptr)
        fail(__LINE__, "the library is preloaded");
    CHECK(argc == 2);
    if (std::strcmp(argv[1], "forms") == 0)
        forms();
    else if (std::strcmp(argv[1], "exhaustion") == 0)
        exhaustion();
    else
        nothrow_with_throwing_handler();
    return 0;
}
