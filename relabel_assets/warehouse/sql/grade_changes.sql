-- How a grade changed over runs: every change of a pair's grade, beside the grade before it.
with changes as (
    select
        corpus, labeler, query_id, doc_id, grade, model, run_id, noted_at,
        lag(grade) over pair as grade_before, lag(model) over pair as model_before, row_number() over pair as change
    from grade_history
    window pair as (partition by corpus, labeler, query_id, doc_id order by noted_at)
)

select
    corpus, labeler, query_id, doc_id, grade_before, grade, model_before, model, run_id, noted_at
from changes
where change > 1
