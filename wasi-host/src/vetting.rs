//! What is looked at before a program is compiled. Cranelift takes more than linear time for some functions, can't be
//! interrupted, and works on one function as a whole: so the size of functions is bounded, and what is known to be slow in
//! them: blocks in one another, and many blocks with many locals.

use std::borrow::Cow;

use wasmparser::{FunctionBody, Operator, Parser, Payload, TypeSectionReader};

use crate::{CompileError, limits};

/// Blocks that make each other block as much work as one local does.
const BLOCKS_LIKE_A_LOCAL: u64 = 100;
/// What the names of sections with debugging information begin with.
const DEBUG_PREFIX: &str = ".debug_";

/// Refuses a program that would hold the compiler too long, and takes from it debugging information that would take more
/// memory than it is worth when it traps. Whatever is malformed is left to the validator to name.
pub(crate) fn vet(mut wasm: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>, CompileError> {
    let debug = look_through(&wasm)?;
    if debug.bytes > limits::DEBUG_LIMIT_BYTES {
        let bytes = wasm.to_mut();
        // Under another name a section means nothing to anybody.
        for at in debug.names_at {
            bytes[at] = b'-';
        }
    }
    Ok(wasm)
}

/// Debugging information (DWARF) of a program.
#[derive(Default)]
struct Debug {
    bytes: usize,
    /// Where the names of its sections are in the file.
    names_at: Vec<usize>,
}

fn look_through(wasm: &[u8]) -> Result<Debug, CompileError> {
    let (mut vetting, mut debug) = (Vetting::default(), Debug::default());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::TypeSection(types)) => vetting.parameters = vetting.parameters.max(most_parameters(types)),
            Ok(Payload::CodeSectionEntry(body)) => vetting.function(&body)?,
            Ok(Payload::CustomSection(section)) if section.name().starts_with(DEBUG_PREFIX) => {
                debug.bytes += section.data().len();
                debug.names_at.push(section.data_offset() - section.name().len());
            }
            Ok(_) => {}
            // The parser goes no further.
            Err(_) => break,
        }
    }
    Ok(debug)
}

/// The parameters of the function type that has most.
fn most_parameters(types: TypeSectionReader<'_>) -> u64 {
    let types = types.into_iter_err_on_gc_types().filter_map(Result::ok);
    types.map(|function| function.params().len() as u64).max().unwrap_or(0)
}

/// What has been seen of a program.
#[derive(Default)]
struct Vetting {
    functions: usize,
    /// The most that any function can have: which has how many is not worth finding out.
    parameters: u64,
    work: u64,
}

impl Vetting {
    fn function(&mut self, body: &FunctionBody<'_>) -> Result<(), CompileError> {
        self.functions += 1;
        check("functions", self.functions as u64, limits::FUNCTIONS_PER_PROGRAM as u64)?;
        check("bytes in a function", body.range().len() as u64, limits::FUNCTION_LIMIT_BYTES as u64)?;
        let blocks = count_blocks(body)?;
        let locals = body.get_locals_reader().into_iter().flatten().flatten();
        let locals: u64 = locals.map(|(count, _)| u64::from(count)).sum::<u64>() + self.parameters;
        // Each block may get each local from each block before it; and blocks alone cost their square, if little.
        let work = blocks.saturating_mul(locals.saturating_add(blocks / BLOCKS_LIKE_A_LOCAL));
        self.work = self.work.saturating_add(work);
        check("blocks times locals in a function", work, limits::WORK_PER_FUNCTION)?;
        check("blocks times locals in all functions", self.work, limits::WORK_PER_PROGRAM)
    }
}

/// Blocks and branches of a function.
fn count_blocks(body: &FunctionBody<'_>) -> Result<u64, CompileError> {
    let Ok(operators) = body.get_operators_reader() else { return Ok(0) };
    let (mut blocks, mut depth) = (1, 0_u64);
    for operator in operators {
        match operator {
            Ok(
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::Try { .. }
                | Operator::TryTable { .. },
            ) => (blocks, depth) = (blocks + 1, depth + 1),
            Ok(Operator::BrIf { .. } | Operator::BrTable { .. } | Operator::Else) => blocks += 1,
            Ok(Operator::End | Operator::Delegate { .. }) => depth = depth.saturating_sub(1),
            Ok(_) => {}
            // The validator will say what is wrong.
            Err(_) => break,
        }
        check("blocks in one another", depth, limits::BLOCK_NESTING as u64)?;
    }
    Ok(blocks)
}

fn check(what: &str, found: u64, limit: u64) -> Result<(), CompileError> {
    if found <= limit {
        return Ok(());
    }
    Err(CompileError::TooLarge(format!("{found} {what}, at most {limit} are accepted")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debugging_information_is_dropped_when_there_is_too_much() {
        let text = r#"(component (core module (@custom ".debug_line" "lines") (@custom "other" "x") (func)))"#;
        let wasm = wat::parse_str(text).unwrap();
        assert_eq!(*vet(Cow::Borrowed(&wasm)).unwrap(), *wasm, "as long as it is small it stays");
        let long = "l".repeat(limits::DEBUG_LIMIT_BYTES + 1);
        let wasm = wat::parse_str(text.replace("lines", &long)).unwrap();
        let vetted = vet(Cow::Borrowed(&wasm)).unwrap();
        let has = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
        assert!(has(&wasm, b".debug_line") && !has(&vetted, b".debug_line"));
        assert!(has(&vetted, b"-debug_line") && has(&vetted, b"other"));
        assert_eq!(vetted.len(), wasm.len());
        wasmparser::validate(&vetted).unwrap();
    }
}
