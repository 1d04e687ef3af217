// Diagnostics as clang prints them. llvm::SourceMgr does the drawing, but it gives up on lines with tabs or anything
// beyond ASCII and copies the whole source line for each diagnostic. So it is handed a stand-in: the part of the line
// round the caret, with one ASCII character for each column of the screen. What it printed for the stand-in is then
// replaced by the true text, which is as wide.
#include <llvm/Support/Locale.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <utility>

#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/line_table.h"

namespace convc {
namespace {

constexpr uint32_t longest_line = 200;  // bytes; of a longer one, a window round the caret is shown
constexpr uint32_t window_before = 60;
constexpr uint32_t window_after = 90;
constexpr uint32_t tab_stop = 8;

// Bytes [begin, end) of one source line as they stand on the screen.
struct DisplayLine {
    uint32_t begin = 0, end = 0;
    std::string shown;
    std::string stand_in;           // as many characters as `shown` has columns
    std::vector<unsigned> columns;  // of each byte, and of the end

    unsigned column(uint32_t offset) const { return columns[std::clamp(offset, begin, end) - begin]; }
};

struct Piece {
    uint32_t bytes = 1;
    std::string shown;
    unsigned width = 1;
};

// The character at the front of `text`: a tab as spaces, an unprintable byte as <ff>.
Piece next_piece(std::string_view text, unsigned column) {
    const auto byte = static_cast<unsigned char>(text[0]);
    if (byte == '\t') {
        const unsigned width = tab_stop - column % tab_stop;
        return {1, std::string(width, ' '), width};
    }
    if (byte >= 0x20 && byte < 0x7f) return {1, std::string(1, text[0]), 1};
    for (uint32_t length = 2; byte >= 0xc2 && length <= 4 && length <= text.size(); length++) {
        const std::string_view sequence = text.substr(0, length);
        const int width = llvm::sys::locale::columnWidth(llvm::StringRef(sequence.data(), sequence.size()));
        if (width >= 0) return {length, std::string(sequence), static_cast<unsigned>(width)};
    }
    return {1, fmt::format("<{:02x}>", byte), 4};
}

// Moves a cut off the middle of a code point.
uint32_t code_point_start(std::string_view text, uint32_t offset, uint32_t least) {
    for (int i = 0; i < 3 && offset > least && (static_cast<unsigned char>(text[offset]) & 0xc0) == 0x80; i++) offset--;
    return offset;
}

void append(DisplayLine &line, const Piece &piece) {
    const auto column = static_cast<unsigned>(line.stand_in.size());
    line.columns.insert(line.columns.end(), piece.bytes, column);
    line.shown += piece.shown;
    line.stand_in.append(piece.width, '.');
}

DisplayLine display_line(std::string_view text, SourceRange line, uint32_t caret) {
    DisplayLine result{line.begin, line.end, "", "", {}};
    const bool is_long = line.end - line.begin > longest_line;
    if (is_long && caret - line.begin > window_before)
        result.begin = code_point_start(text, caret - window_before, line.begin);
    if (is_long && line.end - caret > window_after) result.end = code_point_start(text, caret + window_after, caret);
    if (result.begin > line.begin) result.shown = result.stand_in = "...";
    for (uint32_t at = result.begin; at < result.end;) {
        const Piece piece = next_piece(text.substr(at, result.end - at), static_cast<unsigned>(result.stand_in.size()));
        append(result, piece);
        at += piece.bytes;
    }
    result.columns.push_back(static_cast<unsigned>(result.stand_in.size()));
    if (result.end < line.end) {
        result.shown += "...";
        result.stand_in += "...";
    }
    return result;
}

// raw_string_ostream does colours only when told that it is a terminal.
class StringStream : public llvm::raw_string_ostream {
public:
    StringStream(std::string &text, bool colour) : raw_string_ostream(text), colour_(colour) { enable_colors(colour); }
    bool has_colors() const override { return colour_; }
    bool is_displayed() const override { return colour_; }

private:
    bool colour_;
};

class TextRenderer {
public:
    TextRenderer(const SourceFile &file, bool colour) : file_(file), lines_(file.text), colour_(colour) {}

    void render(const Diagnostic &diagnostic) {
        const auto kind =
            diagnostic.severity == Severity::error ? llvm::SourceMgr::DK_Error : llvm::SourceMgr::DK_Warning;
        print(kind, diagnostic.range, fmt::format("{} [{}]", diagnostic.message, diagnostic.id), diagnostic.fixits);
        for (const DiagnosticNote &note : diagnostic.notes) {
            if (note.range) {
                print(llvm::SourceMgr::DK_Note, *note.range, note.message, {});
            } else {
                llvm::SMDiagnostic("", llvm::SourceMgr::DK_Note, note.message).print(file_.name.c_str(), out_, colour_);
            }
        }
    }

    std::string text() { return std::move(text_); }

private:
    void print(llvm::SourceMgr::DiagKind kind, SourceRange range, const std::string &message,
               const std::vector<FixIt> &fixits) {
        const uint32_t caret = lines_.clamp(range.begin);
        const DisplayLine line = display_line(file_.text, lines_.line_containing(caret), caret);
        const unsigned column = line.column(caret);
        const std::pair<unsigned, unsigned> columns{column, std::max(column, line.column(range.end))};
        const llvm::SMLoc location = llvm::SMLoc::getFromPointer(line.stand_in.data() + column);
        const LineColumn place = lines_.at(caret);
        const std::string prefix = fmt::format("{}:{}:{}", file_.name, place.line, place.column);
        // An empty file name and a "program name" that is the location: the column printed is the one in the source,
        // while the column drawn is the one on the screen.
        const llvm::SMDiagnostic drawn(sources_, location, "", static_cast<int>(place.line), static_cast<int>(column),
                                       kind, message, line.stand_in, columns, place_fixits(line, fixits));
        const size_t start = text_.size();
        drawn.print(prefix.c_str(), out_, colour_);
        const size_t at = line.stand_in.empty() ? std::string::npos : text_.find("\n" + line.stand_in + "\n", start);
        if (at != std::string::npos) text_.replace(at + 1, line.stand_in.size(), line.shown);
    }

    std::vector<llvm::SMFixIt> place_fixits(const DisplayLine &line, const std::vector<FixIt> &fixits) const {
        std::vector<llvm::SMFixIt> placed;
        for (const FixIt &fixit : fixits) {
            if (fixit.replacement.empty()) continue;  // a removal has nothing to draw
            if (fixit.range.begin < line.begin || fixit.range.end > line.end) continue;
            const char *begin = line.stand_in.data() + line.column(fixit.range.begin);
            const char *end = line.stand_in.data() + line.column(fixit.range.end);
            placed.emplace_back(llvm::SMRange(llvm::SMLoc::getFromPointer(begin), llvm::SMLoc::getFromPointer(end)),
                                fixit.replacement);
        }
        return placed;
    }

    const SourceFile &file_;
    LineTable lines_;
    bool colour_;
    llvm::SourceMgr sources_;
    std::string text_;
    StringStream out_{text_, colour_};
};

}  // namespace

std::string render_text(const SourceFile &file, const Diagnostics &diagnostics, bool colour, size_t limit) {
    if (diagnostics.all().empty()) return "";
    TextRenderer renderer(file, colour);
    const std::vector<const Diagnostic *> sorted = diagnostics.in_source_order();
    const size_t shown = std::min(limit, sorted.size());
    for (size_t i = 0; i < shown; i++) renderer.render(*sorted[i]);
    std::string text = renderer.text();
    const size_t total = diagnostics.errors() + diagnostics.warnings();
    if (shown < total) text += fmt::format("{}: {} more not shown\n", file.name, total - shown);
    return text;
}

}  // namespace convc
