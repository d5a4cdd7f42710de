"""Makes mcnemar.csv: python make_mcnemar.py > mcnemar.csv, with statsmodels from PyPI."""

import statsmodels
from statsmodels.stats.contingency_tables import mcnemar

print(f"# python trainer/src/tasks/classification/make_mcnemar.py > mcnemar.csv, statsmodels {statsmodels.__version__}")
print("only_a,only_b,exact_p,chi_square,chi_square_p")
counts = [(1, 0), (0, 2), (5, 0), (2, 7), (7, 2), (10, 3), (12, 12), (13, 12), (30, 12), (40, 60), (60, 40), (7, 150), (1, 80)]
counts += [(500, 431), (1000, 1100), (3000, 3001), (0, 400), (n := 900, n + 77), (24, 1), (25, 25), (26, 25), (100, 150)]
for a, b in counts:
    exact = mcnemar([[10, a], [b, 10]], exact=True).pvalue
    chi = mcnemar([[10, a], [b, 10]], exact=False, correction=True)
    print(f"{a},{b},{float(exact)!r},{float(chi.statistic)!r},{float(chi.pvalue)!r}")
