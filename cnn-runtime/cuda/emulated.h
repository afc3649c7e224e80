// The processor in place of a GPU: the threads of a block run by turns, from barrier to barrier, and each access is checked.
//
// A family of kernels is one translation unit, `FAMILY`, and exports one function that launches any of them by name. All else
// is in a namespace without a name, since units differ in `Real`.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <math.h>
#include <memory>
#include <string>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

namespace {

struct Place {
    unsigned x;
};
thread_local Place threadIdx, blockIdx, blockDim, gridDim;

// What went wrong first in this launch.
thread_local std::string fault;

void note_fault(const std::string &what) {
    if (fault.empty()) fault = what;
}

// An array of which every access is checked; laid out as `Array` in `src/gpu/emulated.rs`.
template <class E> struct Array {
    E *data;
    int64_t length;
    int64_t first;

    E &operator[](int64_t index) const {
        static thread_local std::remove_const_t<E> nowhere;
        int64_t at = first + index;
        if (at >= 0 && at < length) return data[at];
        note_fault("reaches for value " + std::to_string(at) + " of " + std::to_string(length));
        nowhere = std::remove_const_t<E>();
        return nowhere;
    }

    Array operator+(int64_t offset) const { return {data, length, first + offset}; }

    explicit operator bool() const { return data != nullptr; }
};

template <class E> using Read = Array<const E>;
template <class E> using Write = Array<E>;

#define DEVICE static inline
#define DEVICE_MEMBER inline
#define SHARED(type, name, length) static thread_local type name[length]
#define SELDOM_REPEATED
#define OFTEN_REPEATED
#define BARRIER() barrier()
#define KERNEL(name, ...) \
    static void name(__VA_ARGS__); \
    static const Kernel name##_kernel(#name, name); \
    static void name(__VA_ARGS__)

// A thread of a block, which stops at each barrier.
struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    bool is_done;
};

thread_local ucontext_t scheduler;
thread_local Fiber *running = nullptr;
thread_local std::function<void()> body;

void barrier() {
    if (running) swapcontext(&running->context, &scheduler);
}

void run_fiber() {
    body();
    running->is_done = true;
    swapcontext(&running->context, &scheduler);
}

// Lets a thread begin; apart, as `getcontext` may return twice.
__attribute__((noinline)) void prepare(Fiber &fiber) {
    const size_t size = 128 * 1024;
    if (!fiber.stack) fiber.stack.reset(new char[size]);
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = size;
    fiber.context.uc_link = nullptr;
    fiber.is_done = false;
    makecontext(&fiber.context, run_fiber, 0);
}

// Runs the threads of one block, which all come to the same barriers.
void run_block() {
    static thread_local std::vector<Fiber> fibers;
    fibers.resize(blockDim.x);
    for (Fiber &fiber : fibers) prepare(fiber);
    size_t done = 0;
    while (done < fibers.size()) {
        for (size_t i = 0; i < fibers.size(); i++) {
            if (fibers[i].is_done) continue;
            threadIdx.x = i;
            running = &fibers[i];
            swapcontext(&scheduler, &fibers[i].context);
            done += fibers[i].is_done;
        }
        running = nullptr;
        if (done > 0 && done < fibers.size()) {
            note_fault("has a barrier that not all threads of a block come to");
            return;
        }
    }
}

// The name of a parameter's type, as `src/gpu/emulated.rs` has it.
template <class T> struct Type {
    static std::string name() { return std::to_string(sizeof(T)) + " bytes"; }
};
#define TYPE(type, word) \
    template <> struct Type<type> { \
        static std::string name() { return word; } \
    }
TYPE(float, "f32");
TYPE(double, "f64");
TYPE(int, "i32");
TYPE(long long, "i64");
TYPE(int64_t, "i64");
TYPE(uint32_t, "u32");
TYPE(uint8_t, "u8");
template <class E> struct Type<Array<E>> {
    static std::string name() { return "&mut [" + Type<E>::name() + "]"; }
};
template <class E> struct Type<Array<const E>> {
    static std::string name() { return "&[" + Type<E>::name() + "]"; }
};

// A kernel by its name; those of a family are a list.
struct Kernel {
    const char *name;
    std::string types;
    std::function<void(void **)> call;
    const Kernel *next;

    static const Kernel *&all() {
        static const Kernel *all = nullptr;
        return all;
    }

    template <class... A> Kernel(const char *name, void (*function)(A...)) : name(name), next(all()) {
        std::string separator;
        for (const std::string &type : {Type<A>::name()...}) {
            types += separator + type;
            separator = ", ";
        }
        call = [function](void **arguments) { call_with(function, arguments, std::index_sequence_for<A...>()); };
        all() = this;
    }

    template <class... A, size_t... I>
    static void call_with(void (*function)(A...), void **arguments, std::index_sequence<I...>) {
        function(*static_cast<A *>(arguments[I])...);
    }
};

// Runs a kernel whose parameters have these types; null, or what is wrong, which is kept until this thread's next launch.
const char *launch(const char *name, const char *types, void **arguments, unsigned blocks, unsigned threads) {
    fault.clear();
    const Kernel *kernel = Kernel::all();
    while (kernel && std::string(kernel->name) != name) kernel = kernel->next;
    if (!kernel) return "does not exist";
    if (kernel->types != types) {
        fault = "takes (" + kernel->types + "), found (" + types + ")";
        return fault.c_str();
    }
    body = [=] { kernel->call(arguments); };
    blockDim.x = threads;
    gridDim.x = blocks;
    for (unsigned block = 0; block < blocks && fault.empty(); block++) {
        blockIdx.x = block;
        threadIdx.x = 0;
        if (threads > 1) run_block();
        else body();
    }
    return fault.empty() ? nullptr : fault.c_str();
}

} // namespace

#define JOIN_NAMES(a, b) a##b
#define LAUNCH_OF(family) JOIN_NAMES(launch_, family)
extern "C" const char *LAUNCH_OF(FAMILY)(const char *name, const char *types, void **arguments, unsigned blocks,
                                         unsigned threads) {
    return launch(name, types, arguments, blocks, threads);
}
