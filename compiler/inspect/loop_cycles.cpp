// Cycles by llvm-mca's library. Its custom behaviour of x86 is not needed: all it does is to mark barriers of memory,
// which no kernel has.
#include <fmt/format.h>
#include <llvm/MCA/Context.h>
#include <llvm/MCA/CustomBehaviour.h>
#include <llvm/MCA/HWEventListener.h>
#include <llvm/MCA/InstrBuilder.h>
#include <llvm/MCA/Pipeline.h>
#include <llvm/MCA/SourceMgr.h>

#include <algorithm>

#include "compiler/inspect/inspect.h"
#include "compiler/inspect/instruction_facts.h"
#include "compiler/inspect/machine_tables.h"

namespace convc {
namespace {

namespace mca = llvm::mca;

using Lowered = std::vector<std::unique_ptr<mca::Instruction>>;

// What is used of the model's resources, and the operations dispatched.
class Meter : public mca::HWEventListener {
public:
    explicit Meter(const llvm::MCSchedModel &model) : busy(model.getNumProcResourceKinds(), 0.0) {}

    void onEvent(const mca::HWInstructionEvent &event) override {
        if (event.Type == mca::HWInstructionEvent::Issued) {
            const auto &issued = static_cast<const mca::HWInstructionIssuedEvent &>(event);
            for (const mca::ResourceUse &use : issued.UsedResources) busy[use.first.first] += use.second;
        } else if (event.Type == mca::HWInstructionEvent::Dispatched) {
            uops += static_cast<const mca::HWInstructionDispatchedEvent &>(event).MicroOpcodes;
        }
    }

    std::vector<double> busy;  // by resource, of all its units together
    double uops = 0;
};

llvm::Expected<unsigned> simulate(const Lowered &loop, unsigned turns, const MachineTables &tables, Meter &meter) {
    const llvm::MCSubtargetInfo &subtarget = tables.subtarget();
    mca::CircularSourceMgr source(loop, turns);
    mca::CustomBehaviour behaviour(subtarget, source, tables.instructions());
    mca::Context context(tables.registers(), subtarget);
    // Zeros: what the model says. Stores do not overlap with loads, as in a kernel's buffers.
    const mca::PipelineOptions options(0, 0, 0, 0, 0, 0, true);
    const auto pipeline = subtarget.getSchedModel().isOutOfOrder()
                              ? context.createDefaultPipeline(options, source, behaviour)
                              : context.createInOrderPipeline(options, source, behaviour);
    pipeline->addEventListener(&meter);
    return pipeline->run();
}

std::vector<ResourcePressure> pressure_of(const Meter &meter, unsigned turns, const llvm::MCSchedModel &model) {
    std::vector<ResourcePressure> all;
    for (unsigned i = 0; i < meter.busy.size(); i++) {
        if (meter.busy[i] == 0) continue;
        const llvm::MCProcResourceDesc &resource = *model.getProcResource(i);
        all.push_back({resource.Name, meter.busy[i] / turns / resource.NumUnits});
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const ResourcePressure &a, const ResourcePressure &b) { return a.cycles > b.cycles; });
    return all;
}

// The multiply-add from registers that stands for one of so many lanes.
std::string_view from_registers(int lanes, Isa isa) {
    if (isa == Isa::neon) return lanes == 4 ? "FMLAv4f32" : "FMLAv2f32";
    if (isa == Isa::sse41) return "MULPSrr";
    return lanes == 16 ? "VFMADD231PSZr" : lanes == 8 ? "VFMADD231PSYr" : "VFMADD231PSr";
}

double throughput(std::string_view name, const MachineTables &tables) {
    const llvm::MCSchedModel &model = tables.subtarget().getSchedModel();
    for (unsigned opcode = 0; opcode < tables.instructions().getNumOpcodes(); opcode++) {
        if (std::string_view(tables.instructions().getName(opcode)) != name) continue;
        const llvm::MCSchedClassDesc &description =
            *model.getSchedClassDesc(tables.instructions().get(opcode).getSchedClass());
        const bool known = description.isValid() && !description.isVariant();
        return known ? llvm::MCSchedModel::getReciprocalThroughput(tables.subtarget(), description) : 0;
    }
    return 0;
}

double fma_cycles(const std::vector<Instruction> &loop, const MachineTables &tables, Isa isa) {
    double cycles = 0;
    std::map<int, double> known;  // by lanes
    for (const Instruction &instruction : loop) {
        const int lanes = facts_of(instruction.code, tables, isa != Isa::sse41, false).multiply_adds;
        if (lanes == 0) continue;
        const auto [found, is_new] = known.try_emplace(lanes, 0);
        if (is_new) found->second = throughput(from_registers(lanes, isa), tables);
        cycles += found->second;
    }
    return cycles;
}

Error unknown(const MachineTables &tables, llvm::Error error) {
    return {Failure::environment,
            fmt::format("LLVM's model of {} cannot tell: {}", tables.cpu(), llvm::toString(std::move(error)))};
}

Result<LoopCycles> measure(const Lowered &lowered, const MachineTables &tables) {
    // The first turns fill the pipeline: what more turns take beyond them is the steady state.
    constexpr unsigned few = 20, many = 120;
    const llvm::MCSchedModel &model = tables.subtarget().getSchedModel();
    Meter meter_of_few(model), meter(model);
    auto first = simulate(lowered, few, tables, meter_of_few);
    if (!first) return unknown(tables, first.takeError());
    auto all = simulate(lowered, many, tables, meter);
    if (!all) return unknown(tables, all.takeError());
    LoopCycles result;
    result.cpu = tables.cpu();
    result.cycles = static_cast<double>(*all - *first) / (many - few);
    result.instructions_per_cycle = static_cast<double>(lowered.size()) / result.cycles;
    result.uops = meter.uops / many;
    result.pressure = pressure_of(meter, many, model);
    return result;
}

}  // namespace

Result<LoopCycles> loop_cycles(const InnerLoop &loop, const Target &target) {
    const Result<std::unique_ptr<MachineTables>> made = MachineTables::of(target);
    if (!made) return made.error();
    const MachineTables &tables = **made;
    if (!tables.subtarget().getSchedModel().hasInstrSchedModel()) {
        return Error{Failure::environment, fmt::format("LLVM has no model of {}", tables.cpu())};
    }
    if (loop.calls > 0) return Error{Failure::environment, "the loop calls a function, of which nothing is known"};
    const Result<std::vector<Instruction>> instructions = tables.read(loop.code, "a loop of " + loop.function);
    if (!instructions) return instructions.error();

    const mca::InstrumentManager instruments(tables.subtarget(), tables.instructions());
    mca::InstrBuilder builder(tables.subtarget(), tables.instructions(), tables.registers(), &tables.analysis(),
                              instruments, 0);
    Lowered lowered;
    for (const Instruction &instruction : *instructions) {
        auto made_of_it = builder.createInstruction(instruction.code, {});
        if (!made_of_it) return unknown(tables, made_of_it.takeError());
        lowered.push_back(std::move(*made_of_it));
    }
    Result<LoopCycles> cycles = measure(lowered, tables);
    if (cycles) cycles->fma_cycles = fma_cycles(*instructions, tables, target.isa);
    return cycles;
}

}  // namespace convc
