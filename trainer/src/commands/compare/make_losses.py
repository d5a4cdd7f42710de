"""Makes diebold_mariano.csv: python make_losses.py > diebold_mariano.csv, with statsmodels from PyPI."""

import numpy as np
import statsmodels
import statsmodels.api as sm

print(f"# python trainer/src/commands/compare/make_losses.py > diebold_mariano.csv, statsmodels {statsmodels.__version__}")
print("n,overlap,lags,standard_error,statistic,p")
for n, overlap in [(30, 0), (30, 11), (64, 2), (100, 0), (250, 23), (1000, 0), (5000, 0), (20000, 5)]:
    x, last, differences = 12345, 0.0, []
    for _ in range(n):
        x = (x * 1103515245 + 12345) % 2**31
        last = 0.6 * last + x / 2**31 - 0.45
        differences.append(last)
    lags = min(max(int(4 * (n / 100) ** (2 / 9)), overlap), n - 1)
    # The mean with Newey and West's standard error: a regression on a constant.
    fit = sm.OLS(np.array(differences), np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False})
    print(f"{n},{overlap},{lags},{float(fit.bse[0])!r},{float(fit.tvalues[0])!r},{float(fit.pvalues[0])!r}")
