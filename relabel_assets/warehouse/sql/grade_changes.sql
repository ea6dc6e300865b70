-- Changes of grades over runs: each changed grade of a pair, with the previous grade.
with history as (
    select * from grade_history
),

numbered as (
    select
        *,
        lag(grade) over pair as grade_before,
        lag(model) over pair as model_before,
        row_number() over pair as change
    from history
    window pair as (partition by corpus, labeler, query_id, doc_id order by noted_at)
),

final as (
    select
        corpus, labeler, query_id, doc_id,
        grade_before, grade,
        model_before, model,
        run_id, noted_at
    from numbered
    where change > 1  -- change 1 is the pair's first grade
)

select * from final
