#include "schedules/channel_tiles.h"

namespace convc {

using Halide::TailStrategy;

ChannelTiles::ChannelTiles(Halide::Func func, const Halide::Var &channel, int channels, int vectors, int lanes,
                           const Halide::Var &tile) {
    const int whole_vectors = (channels + lanes - 1) / lanes;
    if (channels % (vectors * lanes) == 0) {
        func.split(channel, tile, vector_, vectors * lanes, TailStrategy::RoundUp);
        func.split(vector_, vector_, lane_, lanes);
    } else if (whole_vectors % vectors == 0) {
        func.split(channel, vector_, lane_, lanes, TailStrategy::PredicateStores);
        func.split(vector_, tile, vector_, vectors);
    } else {
        func.split(channel, tile, lane_, vectors * lanes, TailStrategy::PredicateStores);
        cut_ = false;
    }
}

std::vector<Halide::VarOrRVar> ChannelTiles::loops() const {
    if (cut_) return {lane_, vector_};
    return {lane_};
}

void ChannelTiles::vectorize(Halide::Func func) const {
    func.vectorize(lane_);
    if (cut_) func.unroll(vector_);
}

}  // namespace convc
