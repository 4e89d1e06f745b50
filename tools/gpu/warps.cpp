/* A plugin of Oclgrind: what the warps of a GPU would ask of memory. Built by tools/gpu-check, not by meson.
 *
 * Lanes of a warp are put together by instruction and by how often each has executed it since the last barrier, for
 * warps of 32 and of 64 lanes at once. Of each access by a warp to global memory: the 32-byte sectors it touches, the
 * least that could hold what it asks for, and the bytes that its work-group had to fetch through a cache of 8 KiB (half
 * of the smallest first-level cache of the GPUs meant; loads only, least recently used goes first) or to store. To local
 * memory: cycles of 32 banks of 4 bytes, 128 bytes of lanes at a time, against one for each such part.
 *
 * A line of JSON a launch and warp size goes to the file $WARPS_OUT. No time, no latency, no cache beyond that one. */
#include <oclgrind/common.h>

#include <oclgrind/Context.h>
#include <oclgrind/Kernel.h>
#include <oclgrind/KernelInvocation.h>
#include <oclgrind/Memory.h>
#include <oclgrind/Plugin.h>
#include <oclgrind/Program.h>
#include <oclgrind/WorkGroup.h>
#include <oclgrind/WorkItem.h>

#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/DebugLoc.h>
#include <llvm/IR/Instruction.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

using namespace oclgrind;

namespace {

constexpr unsigned WORD = 4, SECTOR = 32, BANKS = 32, CACHE_SECTORS = 8192 / SECTOR;

struct Access {
    const llvm::Instruction *instruction;
    uint64_t address;
    uint32_t lane, turn, sequence, size;
    bool local, store;
};

/* One source line's accesses of one kind. */
struct Line {
    uint64_t accesses = 0, lanes = 0, sectors = 0, ideal = 0, moved = 0, cycles = 0, parts = 0;
};
using LineKey = std::tuple<std::string, unsigned, bool, bool, unsigned>; /* file, line, local, store, bytes a lane */

class Cache {
    std::list<uint64_t> order;
    std::unordered_map<uint64_t, std::list<uint64_t>::iterator> where;

public:
    void clear()
    {
        order.clear();
        where.clear();
    }

    bool fetch(uint64_t sector)     /* whether it was not there */
    {
        auto found = where.find(sector);
        if (found != where.end()) {
            order.splice(order.begin(), order, found->second);
            return false;
        }
        if (where.size() == CACHE_SECTORS) {
            where.erase(order.back());
            order.pop_back();
        }
        order.push_front(sector);
        where[sector] = order.begin();
        return true;
    }
};

struct Warps {
    unsigned width;
    std::map<LineKey, Line> lines;
    Cache cache;
};

std::string quoted(const std::string &text)
{
    std::string out = "\"";
    for (unsigned char c : text) {
        char escaped[8];
        if (c == '"' || c == '\\') out += '\\';
        if (c >= ' ') {
            out += (char)c;
        } else {
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
            out += escaped;
        }
    }
    return out + '"';
}

class WarpPlugin : public Plugin {
    FILE *out;
    std::vector<Access> pending;
    std::unordered_map<const llvm::Instruction *, std::vector<uint32_t>> turns;
    std::vector<uint32_t> sequence;     /* accesses of each lane since the barrier */
    std::unordered_set<uint64_t> read, written;
    bool watched = false;       /* whether the kernel is one of ours: those of libraries are not built with HG_CPU */
    Warps warps[2] = {{32, {}, {}}, {64, {}, {}}};

    static uint32_t lane_of(const WorkItem *item, size_t *lanes)
    {
        Size3 id = item->getLocalID(), size = item->getWorkGroup()->getGroupSize();
        *lanes = size.x * size.y * size.z;
        return (uint32_t)(id.x + size.x * (id.y + size.y * id.z));
    }

    void add(const Memory *memory, const WorkItem *item, size_t address, size_t size, bool store)
    {
        unsigned space = memory->getAddressSpace();
        if (!watched || (space != AddrSpaceGlobal && space != AddrSpaceLocal)) return;
        size_t lanes;
        uint32_t lane = lane_of(item, &lanes);
        const llvm::Instruction *instruction = item->getCurrentInstruction();
        std::vector<uint32_t> &turn = turns[instruction];
        if (turn.size() < lanes) turn.resize(lanes);
        if (sequence.size() < lanes) sequence.resize(lanes);
        pending.push_back({instruction, address, lane, turn[lane]++, sequence[lane]++, (uint32_t)size,
                           space == AddrSpaceLocal, store});
        if (space == AddrSpaceGlobal)
            for (uint64_t word = address / WORD; word <= (address + size - 1) / WORD; word++)
                (store ? written : read).insert(word);
    }

    /* The different multiples of `unit` bytes that n accesses touch. */
    static std::vector<uint64_t> touched(const Access *const *a, size_t n, unsigned unit)
    {
        std::vector<uint64_t> units;
        for (size_t i = 0; i < n; i++)
            for (uint64_t u = a[i]->address / unit; u <= (a[i]->address + a[i]->size - 1) / unit; u++) units.push_back(u);
        std::sort(units.begin(), units.end());
        units.erase(std::unique(units.begin(), units.end()), units.end());
        return units;
    }

    static void add_global(Warps &w, Line &line, const Access *const *a, size_t n)
    {
        std::vector<uint64_t> sectors = touched(a, n, SECTOR);
        line.sectors += sectors.size();
        line.ideal += (touched(a, n, WORD).size() * WORD + SECTOR - 1) / SECTOR;
        for (uint64_t sector : sectors)
            if (a[0]->store || w.cache.fetch(sector)) line.moved += SECTOR;
    }

    static void add_local(unsigned width, Line &line, const Access *const *a, size_t n)
    {
        unsigned per = std::max(1u, BANKS * WORD / std::max(WORD, a[0]->size));
        for (unsigned first = 0; first < width; first += per) {
            std::vector<const Access *> part;
            for (size_t i = 0; i < n; i++)
                if (a[i]->lane % width / per == first / per) part.push_back(a[i]);
            if (part.empty()) continue;
            unsigned bank[BANKS] = {0}, most = 0;
            for (uint64_t word : touched(part.data(), part.size(), WORD)) most = std::max(most, ++bank[word % BANKS]);
            line.cycles += most;
            line.parts++;
        }
    }

    /* Every access of one warp, in the order of its own steps, warps side by side. */
    void flush_into(Warps &w)
    {
        std::vector<const Access *> sorted;
        for (const Access &a : pending) sorted.push_back(&a);
        auto same = [&](const Access *a, const Access *b) {
            return a->instruction == b->instruction && a->turn == b->turn && a->store == b->store &&
                   a->lane / w.width == b->lane / w.width;
        };
        std::sort(sorted.begin(), sorted.end(), [&](const Access *a, const Access *b) {
            return std::make_tuple(a->instruction, a->turn, a->store, a->lane) <
                   std::make_tuple(b->instruction, b->turn, b->store, b->lane);
        });
        struct Group {
            uint32_t sequence, warp;
            size_t first, count;
        };
        std::vector<Group> groups;
        for (size_t i = 0; i < sorted.size(); i++) {
            if (!i || !same(sorted[i - 1], sorted[i]))
                groups.push_back({sorted[i]->sequence, sorted[i]->lane / w.width, i, 0});
            groups.back().count++;
        }
        std::sort(groups.begin(), groups.end(), [](const Group &a, const Group &b) {
            return std::tie(a.sequence, a.warp, a.first) < std::tie(b.sequence, b.warp, b.first);
        });
        for (const Group &g : groups) {
            const Access *const *a = &sorted[g.first];
            const llvm::DebugLoc &where = a[0]->instruction->getDebugLoc();
            Line &line = w.lines[{where ? where->getFilename().str() : "", where ? where.getLine() : 0, a[0]->local,
                                  a[0]->store, a[0]->size}];
            line.accesses++;
            line.lanes += g.count;
            if (a[0]->local)
                add_local(w.width, line, a, g.count);
            else
                add_global(w, line, a, g.count);
        }
    }

    void flush()
    {
        for (Warps &w : warps) flush_into(w);
        pending.clear();
        for (auto &t : turns) std::fill(t.second.begin(), t.second.end(), 0);
        std::fill(sequence.begin(), sequence.end(), 0);
    }

    void write(const KernelInvocation *launch, const Warps &w)
    {
        const Kernel *kernel = launch->getKernel();
        Size3 global = launch->getGlobalSize(), local = launch->getLocalSize();
        fprintf(out, "{\"kernel\": %s, \"options\": %s, \"warp\": %u, \"global\": [%zu, %zu, %zu], \"local\": [%zu, %zu, %zu], "
                     "\"local_memory\": %zu, \"least\": %zu, \"lines\": [",
                quoted(kernel->getName()).c_str(), quoted(kernel->getProgram()->getBuildOptions()).c_str(), w.width, global.x, global.y,
                global.z, local.x, local.y, local.z, kernel->getLocalMemorySize(), (read.size() + written.size()) * WORD);
        const char *comma = "";
        for (const auto &entry : w.lines) {
            const auto &[file, number, is_local, store, size] = entry.first;
            const Line &l = entry.second;
            fprintf(out, "%s{\"file\": %s, \"line\": %u, \"local\": %s, \"store\": %s, \"size\": %u, \"accesses\": %zu, \"lanes\": %zu, "
                         "\"sectors\": %zu, \"ideal\": %zu, \"moved\": %zu, \"cycles\": %zu, \"parts\": %zu}",
                    comma, quoted(file).c_str(), number, is_local ? "true" : "false", store ? "true" : "false", size,
                    l.accesses, l.lanes, l.sectors, l.ideal, l.moved, l.cycles, l.parts);
            comma = ", ";
        }
        fprintf(out, "]}\n");
    }

public:
    WarpPlugin(const Context *context, FILE *to) : Plugin(context), out(to) {}

    bool isThreadSafe() const override { return false; }

    void memoryLoad(const Memory *m, const WorkItem *item, size_t address, size_t size) override
    {
        add(m, item, address, size, false);
    }

    void memoryStore(const Memory *m, const WorkItem *item, size_t address, size_t size, const uint8_t *) override
    {
        add(m, item, address, size, true);
    }

    void workGroupBegin(const WorkGroup *) override
    {
        for (Warps &w : warps) w.cache.clear();
    }

    void workGroupBarrier(const WorkGroup *, uint32_t) override { flush(); }

    void workGroupComplete(const WorkGroup *) override { flush(); }

    void kernelBegin(const KernelInvocation *launch) override
    {
        watched = launch->getKernel()->getProgram()->getBuildOptions().find("-DHG_CPU=") != std::string::npos;
        turns.clear();
        read.clear();
        written.clear();
        for (Warps &w : warps) w.lines.clear();
    }

    void kernelEnd(const KernelInvocation *launch) override
    {
        flush();
        if (!watched) return;
        for (const Warps &w : warps) write(launch, w);
        fflush(out);
    }
};

WarpPlugin *plugin;

}

extern "C" void initializePlugins(Context *context);
extern "C" void releasePlugins(Context *context);

void initializePlugins(Context *context)
{
    const char *path = getenv("WARPS_OUT");
    FILE *to = path ? fopen(path, "a") : stderr;
    plugin = new WarpPlugin(context, to ? to : stderr);
    context->registerPlugin(plugin);
}

void releasePlugins(Context *context)
{
    context->unregisterPlugin(plugin);
    delete plugin;
}
