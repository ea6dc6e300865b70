-- Cost of the current labels by corpus, day (NULL: recorded) and model. `relabel ledger` has the whole spend.
with answers as (
    select * from teacher_labels
    union all by name
    select * from asked_labels
),

pairs as (
    select *, cast(labeled_at as date) as day from answers
),

final as (
    select
        corpus, day, teacher_model,
        count(*) as pairs,
        count(*) filter (where status = 'ok') as graded_pairs,
        -- Pairs that were asked together share their request.
        cast(round(sum(attempts / coalesce(n_asked_together, 1))) as bigint) as requests,
        sum(prompt_tokens) as prompt_tokens,
        sum(completion_tokens) as completion_tokens,
        sum(cost_usd) as cost_usd,
        count(*) filter (where request_key is not null and cost_usd is null) as pairs_of_unknown_price
    from pairs
    group by all
    order by corpus, day, teacher_model
)

select * from final
