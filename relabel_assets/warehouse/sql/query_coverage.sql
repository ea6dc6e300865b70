-- How well each query is covered: its candidates, how many the teacher graded, and the best grade it has.
with graded as (
    select
        corpus, query_id, count(*) as candidates, count(*) filter (where status = 'ok') as graded,
        count(*) filter (where status <> 'ok') as without_grade, max(grade) as best_grade,
        count(*) filter (where grade >= 2) as relevant_documents
    from teacher_labels
    group by all
),

final as (
    select
        corpus, query_id, queries.text as query, queries.intent, queries.split, queries.seed_doc_id,
        coalesce(candidates, 0) as candidates, coalesce(graded, 0) as graded, coalesce(without_grade, 0) as without_grade,
        best_grade, coalesce(relevant_documents, 0) as relevant_documents
    from synthetic_queries as queries
    left join graded using (corpus, query_id)
    order by corpus, query_id
)

select * from final
