-- The latest benchmark over all queries: a row per labeler, a column per metric.
with overall as (
    select * from benchmark_report where slice = 'all'
),

final as (
    select
        corpus, labeler, reference_kind,
        max(value) filter (where metric = 'ndcg@10') as ndcg_at_10,
        max(ci_low) filter (where metric = 'ndcg@10') as ndcg_at_10_low,
        max(ci_high) filter (where metric = 'ndcg@10') as ndcg_at_10_high,
        max(value) filter (where metric = 'pairwise_strict') as pairwise_strict,
        max(value) filter (where metric = 'pairwise_half') as pairwise_half,
        max(value) filter (where metric = 'pairwise_untied') as pairwise_untied,
        max(value) filter (where metric = 'kappa') as kappa,
        max(value) filter (where metric = 'kappa_quadratic') as kappa_quadratic,
        max(n_queries) as n_queries,
        max(n_pairs) as n_pairs
    from overall
    group by all
    order by corpus, labeler
)

select * from final
