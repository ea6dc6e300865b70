-- Coverage of each query: the numbers of its candidates and of its graded pairs, and its best grade.
with queries as (
    select corpus, query_id, text as query, intent, split, seed_doc_id from synthetic_queries
),

pairs as (
    select corpus, query_id, status, grade from teacher_labels
),

counts as (
    select
        corpus, query_id,
        count(*) as candidates,
        count(*) filter (where status = 'ok') as graded,
        count(*) filter (where status <> 'ok') as without_grade,
        max(grade) as best_grade,
        count(*) filter (where grade >= 2) as relevant_documents
    from pairs
    group by all
),

final as (
    select
        corpus, query_id, query, intent, split, seed_doc_id,
        coalesce(candidates, 0) as candidates,
        coalesce(graded, 0) as graded,
        coalesce(without_grade, 0) as without_grade,
        best_grade,
        coalesce(relevant_documents, 0) as relevant_documents
    from queries
    left join counts using (corpus, query_id)
    order by corpus, query_id
)

select * from final
