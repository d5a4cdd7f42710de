//! Kernels on a CUDA device: opening the device, loading the compiled kernels, and launching one or several.

use super::launch::{Argument, Launch, start};
use candle_core::cuda_backend::cudarc::driver::sys::{
    CUdevice_attribute, CUfunction_attribute_enum, CUgraphInstantiate_flags, CUstreamCaptureMode,
};
use candle_core::cuda_backend::cudarc::driver::{CudaModule, CudaSlice, CudaStream, DevicePtr, DevicePtrMut, result};
use candle_core::cuda_backend::cudarc::nvrtc::Ptx;
use candle_core::cuda_backend::{CudaStorageSlice, WrapErr};
use candle_core::{CudaDevice, CudaStorage, Device, Result, Storage};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

/// The kernels for all supported GPUs, compiled by the build script.
static KERNELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

/// The loaded kernels of each GPU, by the ordinal of the GPU.
static MODULES: Mutex<Option<HashMap<usize, Arc<CudaModule>>>> = Mutex::new(None);

/// Opens the GPU with this number, with one stream for all work.
pub fn open(number: usize) -> Result<Device> {
    let device = CudaDevice::new_with_stream(number)?;
    // SAFETY: all memory is allocated, used and freed on this one stream, so no event has to order two streams. While
    // `launch_together` records a graph, the stream may not wait for an earlier event.
    unsafe { device.disable_event_tracking() };
    Ok(Device::Cuda(device))
}

/// Runs `launches` as one CUDA graph. It may only allocate memory, launch kernels and free memory, all on the device's
/// stream.
///
/// The graph is recorded anew for each batch, because the lengths of the sequences differ. If it cannot be recorded,
/// nothing has run yet, and `launches` runs again without a graph.
pub fn launch_together(device: &CudaDevice, launches: impl Fn() -> Result<()>) -> Result<()> {
    let stream = device.cuda_stream();
    // In the other modes, a library may not load a kernel while a graph is recorded.
    stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED).w()?;
    let recorded = launches();
    match (recorded, stream.end_capture(CUgraphInstantiate_flags(0))) {
        (Ok(()), Ok(Some(graph))) => graph.launch().w(),
        _ => launches(),
    }
}

/// Returns the number of multiprocessors of a GPU and the largest shared memory of a block in bytes.
pub fn size(device: &CudaDevice) -> Result<(usize, usize)> {
    let stream = device.cuda_stream();
    let attribute = |attribute| Ok::<_, candle_core::Error>(stream.context().attribute(attribute).w()? as usize);
    Ok((
        attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
    ))
}

/// Returns the kernels for the GPU of a stream. The first call for each GPU loads them.
fn module(stream: &CudaStream) -> Result<Arc<CudaModule>> {
    let context = stream.context();
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    let modules = modules.get_or_insert_default();
    if let Some(module) = modules.get(&context.ordinal()) {
        return Ok(module.clone());
    }
    let module = context.load_module(Ptx::from_binary(KERNELS.to_vec())).w()?;
    modules.insert(context.ordinal(), module.clone());
    Ok(module)
}

/// Launches a kernel on the stream of the device of `written`, the tensor that the kernel writes.
pub fn launch(launch: &Launch<'_>, written: &mut CudaStorage) -> Result<()> {
    let stream = written.device.cuda_stream();
    let function = module(&stream)?.load_function(&launch.kernel).w()?;
    // CUDA allows more than 48 KiB of dynamic shared memory only if this attribute is set.
    if launch.shared_bytes > 48 << 10 {
        let attribute = CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        function.set_attribute(attribute, launch.shared_bytes as i32).w()?;
    }
    // The address of the written tensor and the bytes of one of its values.
    let (written, value_size) = match &mut written.slice {
        CudaStorageSlice::F32(slice) => (slice.device_ptr_mut(&stream).0, 4),
        CudaStorageSlice::F64(slice) => (slice.device_ptr_mut(&stream).0, 8),
        _ => candle_core::bail!("kernel {}: expected a written tensor of F32 or F64", launch.kernel),
    };
    // The value of each argument, at most eight bytes, in the byte order of the host.
    let mut values = Vec::with_capacity(launch.arguments.len());
    for argument in &launch.arguments {
        values.push(match *argument {
            Argument::Read(tensor, element) => {
                let (storage, layout) = tensor.storage_and_layout();
                let Storage::Cuda(storage) = &*storage else {
                    candle_core::bail!("kernel {}: expected all arguments on the GPU", launch.kernel);
                };
                let (pointer, size) = match &storage.slice {
                    CudaStorageSlice::F32(slice) => (device_address(slice, &stream), 4),
                    CudaStorageSlice::F64(slice) => (device_address(slice, &stream), 8),
                    CudaStorageSlice::U32(slice) => (device_address(slice, &stream), 4),
                    _ => candle_core::bail!("kernel {}: expected arguments of F32, F64 or U32", launch.kernel),
                };
                (pointer + ((start(layout)? + element) * size) as u64).to_ne_bytes()
            }
            Argument::Null => [0; 8],
            Argument::Write(element) => (written + (element * value_size) as u64).to_ne_bytes(),
            Argument::Int(value) => four_bytes(value.to_ne_bytes()),
            Argument::Float(value) => four_bytes(value.to_ne_bytes()),
        });
    }
    let mut pointers: Vec<*mut c_void> = values.iter_mut().map(|value| value.as_mut_ptr().cast()).collect();
    let (blocks, threads) = (launch.blocks as u32, launch.threads as u32);
    stream.context().bind_to_thread().w()?;
    // SAFETY: the kernels access only the memory of their arguments, which `nn/tests/kernels` checks with an address
    // sanitizer for the same calls. The tensors outlive the launch: their memory is freed in the order of the stream.
    unsafe {
        result::launch_kernel(
            function.cu_function(),
            (blocks, 1, 1),
            (threads, 1, 1),
            launch.shared_bytes as u32,
            stream.cu_stream(),
            &mut pointers,
        )
    }
    .w()
}

fn device_address<T>(slice: &CudaSlice<T>, stream: &CudaStream) -> u64 {
    slice.device_ptr(stream).0
}

/// Pads a value of four bytes with zeros. The kernel reads only the size of its parameter.
fn four_bytes([a, b, c, d]: [u8; 4]) -> [u8; 8] {
    [a, b, c, d, 0, 0, 0, 0]
}
