//! The gradients of one shard, a part of a batch, and their exchange between the processes of a training.
//!
//! [`graph`](crate::graph) splits a batch into shards, computes some of them in each process, and adds up the results
//! of all. The gradients of embeddings and n-grams, of which a shard uses few rows, are sent to every process; the
//! others, which are called dense, are added up on the way.

use crate::ngrams::KeptNgrams;
use crate::process_group::ProcessGroup;
use bytemuck::{AnyBitPattern, NoUninit};
use candle_core::{Error, Result};

/// The gradients and the loss of one shard.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ShardResult {
    /// The ids of the tokens that the shard embeds; empty if the network reads values or has no recurrent layers.
    pub ids: Vec<u32>,
    /// The gradients of the embeddings of `ids`: `[ids, embedding_dim]`.
    pub d_x: Vec<f32>,
    /// The flattened gradients of all parameters but the embedding and the n-gram table, in the order of
    /// [`Architecture::shapes`](crate::architecture::Architecture::shapes).
    pub dense: Vec<Vec<f32>>,
    /// The n-grams of each text after dropout; empty without an n-gram branch.
    pub ngrams: Vec<KeptNgrams>,
    /// The gradients of the texts' sums of n-gram vectors, [`Table::sum`](crate::ngrams::Table::sum): `[texts, rank]`.
    pub d_sums: Vec<f32>,
    /// Sum of the losses of all targets of the shard.
    pub loss: f64,
    /// Number of correct predictions.
    pub correct: usize,
}

impl ShardResult {
    /// Appends the result without `dense` to a message: the loss; the number of correct predictions and of texts;
    /// `ids`, `d_x` and `d_sums`; for each text the scale and the buckets. Each of these is an array of [`put`].
    fn write(&self, message: &mut Vec<u8>) {
        let ShardResult { ids, d_x, ngrams, d_sums, loss, correct, .. } = self;
        put(message, &[*loss]);
        put(message, &[*correct as u64, ngrams.len() as u64]);
        put(message, ids);
        put(message, d_x);
        put(message, d_sums);
        for KeptNgrams { buckets, scale } in ngrams {
            put(message, &[*scale]);
            put(message, buckets);
        }
    }

    /// Reads a result that [`write`](Self::write) wrote at the beginning of a message, and moves the beginning behind
    /// it. Returns `None` if the message is malformed.
    fn read(message: &mut &[u8]) -> Option<Self> {
        let loss = *take(message)?.first()?;
        let [correct, texts] = take::<u64>(message)?.try_into().ok()?;
        let ids = take(message)?;
        let d_x = take(message)?;
        let d_sums = take(message)?;
        let mut ngrams = Vec::new();
        for _ in 0..texts {
            let scale = *take(message)?.first()?;
            ngrams.push(KeptNgrams { scale, buckets: take(message)? });
        }
        Some(ShardResult { ids, d_x, dense: Vec::new(), ngrams, d_sums, loss, correct: correct as usize })
    }
}

/// Appends the number of bytes of an array, as a u64, and the array. Both are in this machine's byte order, which all
/// processes of a training must share.
fn put<T: NoUninit>(message: &mut Vec<u8>, values: &[T]) {
    message.extend_from_slice(&(size_of_val(values) as u64).to_ne_bytes());
    message.extend_from_slice(bytemuck::cast_slice(values));
}

/// Reads an array that [`put`] wrote at the beginning of a message, and moves the beginning behind it. Returns `None`
/// if the message is malformed.
fn take<T: NoUninit + AnyBitPattern>(message: &mut &[u8]) -> Option<Vec<T>> {
    let (length, after_length) = message.split_first_chunk()?;
    let length = usize::try_from(u64::from_ne_bytes(*length)).ok()?;
    let (values, after_values) = after_length.split_at_checked(length)?;
    *message = after_values;
    if !values.len().is_multiple_of(size_of::<T>()) {
        return None;
    }
    Some(bytemuck::allocation::pod_collect_to_vec(values))
}

/// Exchanges the results of the shards of a batch between the processes of `group`; all of them must call it.
///
/// `own`: the results of this process, or its error; `sizes`: the lengths of the arrays of `dense`. Returns the results
/// of all processes in the order of the ranks, without `dense`, and the sums of `dense` over all shards. Fails in every
/// process if a shard failed in one.
pub(crate) fn exchange(
    own: Result<Vec<ShardResult>>,
    sizes: &[usize],
    group: &dyn ProcessGroup,
) -> Result<(Vec<ShardResult>, Vec<Vec<f32>>)> {
    if group.world_size() == 1 {
        let mut own = own?;
        let dense = own.iter_mut().map(|result| std::mem::take(&mut result.dense)).collect();
        return Ok((own, group.sum_in_order(dense, sizes)));
    }
    // A message begins with the text of this process's error, which is empty if there is none. The results follow.
    let mut message = Vec::new();
    match &own {
        Ok(results) => {
            put::<u8>(&mut message, &[]);
            results.iter().for_each(|result| result.write(&mut message));
        }
        Err(error) => put(&mut message, error.to_string().as_bytes()),
    }
    let malformed = |rank: usize| {
        Error::msg(format!("rank {rank} sent malformed gradients; run the same version of tern in all processes"))
    };
    let mut results = Vec::new();
    for (rank, message) in group.all_gather(message).iter().enumerate() {
        let mut unread = message.as_slice();
        let error = take::<u8>(&mut unread).ok_or_else(|| malformed(rank))?;
        if !error.is_empty() {
            // A process that failed itself returns its own error.
            own?;
            return Err(Error::msg(format!("rank {rank}: {}", String::from_utf8_lossy(&error))));
        }
        while !unread.is_empty() {
            results.push(ShardResult::read(&mut unread).ok_or_else(|| malformed(rank))?);
        }
    }
    // No process has an error, so all of them come here and take part in the sum.
    let dense = own?.into_iter().map(|result| result.dense).collect();
    Ok((results, group.sum_in_order(dense, sizes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process_group::OneProcess;

    fn result(loss: f64) -> ShardResult {
        ShardResult {
            ids: vec![3, 7],
            d_x: vec![0.5, -0.0, 1e-40, f32::MAX],
            dense: Vec::new(),
            ngrams: vec![
                KeptNgrams { buckets: vec![9, 9, 1], scale: 0.25 },
                KeptNgrams { buckets: vec![], scale: 1.0 },
            ],
            d_sums: vec![0.125],
            loss,
            correct: 5,
        }
    }

    /// The group of two processes as process 1 sees it. Process 0 sends this message and has no dense gradients.
    #[derive(Debug)]
    struct Second(Vec<u8>);

    impl ProcessGroup for Second {
        fn rank(&self) -> usize {
            1
        }

        fn world_size(&self) -> usize {
            2
        }

        fn all_gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
            vec![self.0.clone(), bytes]
        }

        fn sum_in_order(&self, parts: Vec<Vec<Vec<f32>>>, sizes: &[usize]) -> Vec<Vec<f32>> {
            OneProcess.sum_in_order(parts, sizes)
        }
    }

    /// The message of a process without an error.
    fn message(results: &[ShardResult]) -> Vec<u8> {
        let mut message = Vec::new();
        put::<u8>(&mut message, &[]);
        results.iter().for_each(|result| result.write(&mut message));
        message
    }

    #[test]
    fn shards_of_all_processes_come_in_their_order_with_the_sums_of_the_dense_gradients() {
        let first = [result(1.0), ShardResult::default()];
        let with_dense = |dense: [f32; 2]| ShardResult { dense: vec![dense.to_vec(), vec![-0.0]], ..result(2.0) };
        let own = vec![with_dense([1.0, 2.0]), with_dense([0.25, -2.0])];
        for (group, expected) in [
            (&Second(message(&first)) as &dyn ProcessGroup, vec![result(1.0), ShardResult::default()]),
            (&OneProcess, Vec::new()),
        ] {
            let (all, dense) = exchange(Ok(own.clone()), &[2, 1], group).unwrap();
            assert_eq!(all, [expected, vec![result(2.0), result(2.0)]].concat());
            assert_eq!(dense, [vec![1.25, 0.0], vec![0.0]]);
            assert!(dense[1][0].is_sign_positive(), "sums begin with 0");
        }
    }

    #[test]
    fn a_fault_of_one_process_is_an_error_in_all() {
        let mut fault = Vec::new();
        put(&mut fault, b"out of memory");
        let error = exchange(Ok(Vec::new()), &[], &Second(fault)).unwrap_err().to_string();
        assert!(error.contains("rank 0: out of memory"), "{error}");
        let own = exchange(Err(Error::msg("no space")), &[], &Second(message(&[]))).unwrap_err().to_string();
        assert!(own.contains("no space"), "{own}");
        let whole = message(&[result(1.0)]);
        // The first 8 bytes are the length of the error's text; a message of these alone is valid and has no results.
        for end in 9..whole.len() {
            let error = exchange(Ok(Vec::new()), &[], &Second(whole[..end].to_vec())).unwrap_err().to_string();
            assert!(error.contains("rank 0 sent malformed gradients"), "{end}: {error}");
        }
    }

    #[test]
    fn functions_of_a_group() {
        assert!(Second(vec![1]).any(false) && !Second(vec![0]).any(false) && Second(vec![0]).any(true));
        assert_eq!(Second(vec![4, 5]).broadcast(vec![6]), [4, 5]);
        assert_eq!(OneProcess.broadcast(vec![6]), [6]);
    }
}
