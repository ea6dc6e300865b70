-- Every grade of every labeler and of the reference, one row each, with the query's and the document's words.
with teacher as (
    select corpus, query_id, doc_id, 'teacher' as labeler, grade, expected_grade, teacher_model as model, rationale, labeled_at
    from teacher_labels
    where status = 'ok'
),

student as (
    select corpus, query_id, doc_id, 'student' as labeler, grade, expected_grade, model_id as model, null as rationale, null as labeled_at
    from student_labels
),

reference as (
    select corpus, query_id, doc_id, 'reference' as labeler, grade, null as expected_grade, kind || ':' || assessor as model,
        null as rationale, null as labeled_at
    from reference_labels
),

final as (
    select
        labels.corpus, labels.labeler, labels.query_id, queries.text as query, queries.intent, queries.split, labels.doc_id,
        documents.title, labels.grade, labels.expected_grade, labels.model, labels.rationale, labels.labeled_at
    from (
        select * from teacher
        union all by name
        select * from student
        union all by name
        select * from reference
    ) as labels
    left join synthetic_queries as queries using (corpus, query_id)
    left join seed_docs as documents using (corpus, doc_id)
)

select * from final
