//! Reduction of vectors to fewer dimensions by principal component analysis.

/// The largest number of sweeps of the Jacobi method. Convergence is quadratic, so far fewer are needed.
const MAX_SWEEPS: usize = 30;
/// The largest off-diagonal element of a diagonalised matrix, relative to the sum of the absolute diagonal elements.
const TOLERANCE: f64 = 1e-12;

/// Subtracts the mean of the vectors and projects them on the `width` directions of largest variance, so that each
/// vector has the length `width`. All vectors must have the same length, at least `width`.
pub fn reduce(vectors: &mut [&mut Vec<f32>], width: usize) {
    let Some(length) = vectors.first().map(|vector| vector.len()) else { return };
    let count = vectors.len() as f64;
    let mut mean = vec![0.0; length];
    for vector in vectors.iter() {
        for (sum, &value) in mean.iter_mut().zip(vector.iter()) {
            *sum += f64::from(value) / count;
        }
    }
    let centred = |vector: &[f32]| -> Vec<f64> {
        vector.iter().zip(&mean).map(|(&value, mean)| f64::from(value) - mean).collect()
    };
    let mut covariance = vec![vec![0.0; length]; length];
    for vector in vectors.iter() {
        let vector = centred(vector);
        for (row, &a) in covariance.iter_mut().zip(&vector) {
            for (sum, &b) in row.iter_mut().zip(&vector) {
                *sum += a * b / count;
            }
        }
    }
    let directions = principal_directions(covariance, width);
    for vector in vectors {
        let centred = centred(vector);
        let component = |direction: &Vec<f64>| centred.iter().zip(direction).map(|(a, b)| a * b).sum::<f64>() as f32;
        **vector = directions.iter().map(component).collect();
    }
}

/// Returns the eigenvectors of the `count` largest eigenvalues of a symmetric matrix, the largest eigenvalue first,
/// computed by cyclic Jacobi rotations (Golub and Van Loan, "Matrix Computations", section 8.5).
fn principal_directions(mut matrix: Vec<Vec<f64>>, count: usize) -> Vec<Vec<f64>> {
    let size = matrix.len();
    // Begins as the identity; the rotations turn its rows into the eigenvectors.
    let mut vectors: Vec<Vec<f64>> =
        (0..size).map(|row| (0..size).map(|column| f64::from(u8::from(row == column))).collect()).collect();
    let trace: f64 = (0..size).map(|index| matrix[index][index].abs()).sum();
    for _ in 0..MAX_SWEEPS {
        // The largest off-diagonal element. The matrix is symmetric, so that its lower half is enough.
        let mut largest = 0.0_f64;
        for (index, row) in matrix.iter().enumerate() {
            for value in &row[..index] {
                largest = largest.max(value.abs());
            }
        }
        if largest <= TOLERANCE * trace {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                if matrix[p][q] == 0.0 {
                    continue;
                }
                // The rotation in the plane of p and q that makes the element [p][q] zero.
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
                let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
                let sine = tangent * cosine;
                for row in &mut matrix {
                    (row[p], row[q]) = (cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]);
                }
                for rows in [&mut matrix, &mut vectors] {
                    // Row p comes before row q, so the split separates them.
                    let (before_q, from_q) = rows.split_at_mut(q);
                    for (a, b) in before_q[p].iter_mut().zip(&mut from_q[0]) {
                        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
                    }
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| matrix[b][b].total_cmp(&matrix[a][a]).then(a.cmp(&b)));
    order.into_iter().take(count).map(|index| std::mem::take(&mut vectors[index])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn eigenvectors_of_a_random_symmetric_matrix() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let size = 20;
        let half: Vec<Vec<f64>> = (0..size).map(|_| (0..size).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
        let matrix: Vec<Vec<f64>> =
            (0..size).map(|row| (0..size).map(|column| half[row][column] + half[column][row]).collect()).collect();
        let found = principal_directions(matrix.clone(), size);
        let mut last = f64::INFINITY;
        for (index, vector) in found.iter().enumerate() {
            let image: Vec<f64> = matrix.iter().map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum()).collect();
            let eigenvalue: f64 = image.iter().zip(vector).map(|(a, b)| a * b).sum();
            assert!(image.iter().zip(vector).all(|(image, value)| (image - eigenvalue * value).abs() < 1e-9));
            assert!(eigenvalue <= last + 1e-9);
            last = eigenvalue;
            for other in &found[..index] {
                let product: f64 = other.iter().zip(vector).map(|(a, b)| a * b).sum();
                assert!(product.abs() < 1e-9, "{product}");
            }
        }
    }

    #[test]
    fn points_of_a_plane_keep_their_distances_in_two_dimensions() {
        let point = |a: f32, b: f32| vec![3.0 + a, b - 1.0, a + b, 2.0 * a - b];
        let mut points = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (2.0, 3.0), (-1.0, 4.0)].map(|(a, b)| point(a, b));
        let before = points.clone();
        reduce(&mut points.iter_mut().collect::<Vec<_>>(), 2);
        let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
        for first in 0..5 {
            for second in 0..first {
                assert_eq!(points[first].len(), 2);
                let [found, expected] = [&points, &before].map(|points| distance(&points[first], &points[second]));
                assert!((found - expected).abs() < 1e-4, "{found}, expected {expected}");
            }
        }
    }
}
