-- Coverage of each query: its candidates, the pairs that the teacher graded, and its best final grade.
with queries as (
    select corpus, query_id, text as query, intent, split, seed_doc_id from synthetic_queries
),

candidates as (
    select corpus, query_id, doc_id from bm25_candidates
),

teacher as (
    select corpus, query_id, doc_id, status, grade as teacher_grade from teacher_labels
    union all by name
    select corpus, query_id, doc_id, status, grade as teacher_grade from asked_labels
),

final_grade as (
    select corpus, query_id, doc_id, grade as final_grade from final_labels
),

pairs as (
    select *, coalesce(final_grade, teacher_grade) as grade
    from candidates
    left join teacher using (corpus, query_id, doc_id)
    left join final_grade using (corpus, query_id, doc_id)
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
