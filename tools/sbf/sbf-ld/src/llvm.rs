//! The few pieces of LLVM's C interface that more than one step needs: strings, a context that
//! collects diagnostics, and the target machine. Nothing is freed: the process ends within seconds.

use std::{
    cell::RefCell,
    ffi::{CStr, CString, c_char, c_void},
    os::unix::ffi::OsStrExt as _,
    path::Path,
    ptr,
};

use anyhow::{Context as _, Result, bail};
use bpf_linker::llvm_sys::{
    LLVMDiagnosticSeverity,
    core::{
        LLVMContextCreate, LLVMContextSetDiagnosticHandler, LLVMGetDiagInfoDescription,
        LLVMGetDiagInfoSeverity,
    },
    error::LLVMGetErrorMessage,
    prelude::{LLVMContextRef, LLVMDiagnosticInfoRef, LLVMModuleRef},
    target_machine::{
        LLVMCodeGenFileType, LLVMCodeGenOptLevel, LLVMCodeModel, LLVMCreateTargetMachine,
        LLVMGetTargetFromTriple, LLVMRelocMode, LLVMTargetMachineEmitToFile, LLVMTargetMachineRef,
    },
    transforms::pass_builder::{LLVMCreatePassBuilderOptions, LLVMRunPasses},
};

/// The triple of every module here.
pub const TRIPLE: &CStr = c"bpfel";

/// What the SVM can do beyond the BPF version: it reads and writes at any address.
pub const CODE_FEATURES: &CStr = c"+allows-misaligned-mem-access";

/// `path` for LLVM.
pub fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .with_context(|| format!("the path {} holds a zero byte", path.display()))
}

/// LLVM's own text at `message`, which may be null.
pub fn message(message: *const c_char) -> String {
    if message.is_null() {
        return "LLVM gives no reason".to_owned();
    }
    // SAFETY: LLVM's messages are C strings.
    unsafe { CStr::from_ptr(message) }.to_string_lossy().trim().to_owned()
}

/// A context with the errors LLVM reported in it, each once.
pub struct Context {
    raw: LLVMContextRef,
    /// Leaked, since LLVM keeps its address as long as the context.
    errors: &'static RefCell<Vec<String>>,
}

impl Context {
    pub fn new() -> Self {
        let errors: &'static RefCell<Vec<String>> = Box::leak(Box::default());
        // SAFETY: the handler gets the address of a value that is never freed, of the type it expects.
        let raw = unsafe {
            let raw = LLVMContextCreate();
            LLVMContextSetDiagnosticHandler(
                raw,
                Some(collect),
                ptr::from_ref(errors).cast_mut().cast(),
            );
            raw
        };
        Self { raw, errors }
    }

    pub fn raw(&self) -> LLVMContextRef {
        self.raw
    }

    /// What LLVM reported so far.
    pub fn errors(&self) -> Vec<String> {
        self.errors.borrow().clone()
    }
}

extern "C" fn collect(info: LLVMDiagnosticInfoRef, errors: *mut c_void) {
    // SAFETY: LLVM passes a live diagnostic, and the address that `Context::new` gave it.
    let (severity, text, errors) = unsafe {
        let text = message(LLVMGetDiagInfoDescription(info));
        (LLVMGetDiagInfoSeverity(info), text, &*errors.cast::<RefCell<Vec<String>>>())
    };
    let mut errors = errors.borrow_mut();
    if severity == LLVMDiagnosticSeverity::LLVMDSError && !errors.contains(&text) {
        errors.push(text);
    }
}

/// A BPF code generator for instructions up to version 2, with `features`. `bitcode::Linker::new` has
/// registered the target by then.
pub fn target_machine(features: &CStr) -> Result<LLVMTargetMachineRef> {
    let (mut target, mut error) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: all strings are C strings, and both out pointers are locals.
    let machine = unsafe {
        if LLVMGetTargetFromTriple(TRIPLE.as_ptr(), &mut target, &mut error) != 0 {
            bail!("LLVM has no BPF target: {}", message(error));
        }
        LLVMCreateTargetMachine(
            target,
            TRIPLE.as_ptr(),
            c"v2".as_ptr(),
            features.as_ptr(),
            LLVMCodeGenOptLevel::LLVMCodeGenLevelAggressive,
            LLVMRelocMode::LLVMRelocStatic,
            LLVMCodeModel::LLVMCodeModelDefault,
        )
    };
    if machine.is_null() {
        bail!("LLVM cannot create a code generator for BPF");
    }
    Ok(machine)
}

/// Runs LLVM's `passes` over `module`.
pub fn run_passes(module: LLVMModuleRef, passes: &CStr) -> Result<()> {
    let machine = target_machine(CODE_FEATURES)?;
    // SAFETY: `module` and `machine` are live; an error is read once.
    unsafe {
        let options = LLVMCreatePassBuilderOptions();
        let error = LLVMRunPasses(module, passes.as_ptr(), machine, options);
        if !error.is_null() {
            bail!("LLVM's passes fail: {}", message(LLVMGetErrorMessage(error)));
        }
    }
    Ok(())
}

/// Generates code for `module` into `output`; an error where LLVM reported one in `context`.
pub fn emit(
    context: &Context,
    module: LLVMModuleRef,
    features: &CStr,
    kind: LLVMCodeGenFileType,
    output: &Path,
) -> Result<()> {
    let machine = target_machine(features)?;
    let path = c_path(output)?;
    let mut error = ptr::null_mut();
    // SAFETY: `machine` and `module` are live, `path` is a C string, `error` a local.
    let failed = unsafe {
        LLVMTargetMachineEmitToFile(machine, module, path.as_ptr(), kind, &mut error) != 0
    };
    let errors = context.errors();
    if !errors.is_empty() {
        bail!("{}", errors.join("\n"));
    }
    if failed {
        bail!("{}", message(error));
    }
    Ok(())
}
